// SPDX-License-Identifier: Apache-2.0
// Stops at random moments, without a framework for tests, so that a cross compiler can build it.
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <random>

#include <threadgroup/posix.hpp>
#include <threadgroup/thread_group.hpp>

namespace {

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "stops: %s\n", what);
  std::exit(1);
}

}  // namespace

// Four readers of one pipe and a writer, stopped while bytes are on their way.
int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 100;
  constexpr int kReaders = 4;
  std::array<int, 2> ends{};
  check(::pipe(ends.data()) == 0, "no pipe");
  std::minstd_rand random(1);
  long written = 0;
  std::atomic<long> read{0};
  std::atomic<long> stopped{0};
  for (int round = 0; round < rounds; ++round) {
    tg::ThreadGroup group("readers", {.max_concurrent_threads = kReaders});
    std::latch there(kReaders);
    for (int i = 0; i < kReaders; ++i) {
      group.post([&] {
        there.count_down();
        char byte = 0;
        ssize_t got = 0;
        while ((got = tg::posix::read(ends[0], &byte, 1)) == 1) ++read;
        check(got == -1 && errno == ECANCELED, "a read failed for another reason than the stop");
        ++stopped;
      });
    }
    there.wait();
    for (unsigned long writes = random() % 16; writes > 0; --writes) written += ::write(ends[1], "x", 1);
    group.set_event("stop");
    group.join();
  }
  check(::close(ends[1]) == 0, "the pipe does not close");
  char byte = 0;
  while (::read(ends[0], &byte, 1) == 1) ++read;
  check(read == written, "bytes were lost");
  check(stopped == static_cast<long>(rounds) * kReaders, "stops were lost");
  std::printf("%ld stops, %ld bytes, none lost\n", stopped.load(), written);
  return 0;
}

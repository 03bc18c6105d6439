// SPDX-License-Identifier: Apache-2.0
// Two threads that call posix_spawn and waitpid: the commands alone, and nothing that would end their descendants.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "work.hpp"

void bench::run(const Options& options) {
  const Stopwatch watch;
  std::atomic<std::int64_t> left{options.get("tasks", 1'000)};
  const auto work = [&] {
    while (left.fetch_sub(1) > 0) {
      char path[] = "/bin/true";
      char* const arguments[] = {path, nullptr};
      pid_t child = 0;
      int status = 0;
      if (::posix_spawn(&child, path, nullptr, nullptr, arguments, environ) != 0 ||
          ::waitpid(child, &status, 0) != child || status != 0)
        std::abort();
    }
  };
  {
    const std::jthread first(work);
    const std::jthread second(work);
  }
  report("s", watch.seconds());
}

// SPDX-License-Identifier: Apache-2.0
// The system's poll, with a descriptor by which the flow is woken.
#include "runtime/poll.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <string>
#include <system_error>

#include "runtime/engine.hpp"
#include "runtime/own_calls.hpp"
#include "runtime/sleep.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/system_time.hpp"
#include "runtime/threads.hpp"

namespace tg::inline v0::runtime {

void Poll::add(int descriptor, bool for_writing) {
  if (descriptor < 0) {
    throw std::invalid_argument("tg::select: " + std::to_string(descriptor) +
                                " is not a file descriptor; the call that made it has failed");
  }
  if (polled_.empty()) {
    refuse_real_io("tg::select with a file descriptor");
    polled_.push_back({Flow::current().wake_descriptor(), POLLIN, 0});
  }
  polled_.push_back({descriptor, static_cast<short>(for_writing ? POLLOUT : POLLIN), 0});
}

// How many are ready, or the system's error as a negative number.
int Poll::poll(TimePoint deadline) noexcept {
  timespec left = deadline.is_never() ? timespec{} : from_nanos((deadline - now()).nanos());
  const int ready = own::ppoll(polled_.data(), polled_.size(), deadline.is_never() ? nullptr : &left);
  if (ready >= 0) return ready;
  const int error = errno;
  for (pollfd& one : polled_) one.revents = 0;
  return error == EINTR ? 0 : -error;
}

void Poll::look() {
  const int ready = poll(TimePoint());
  if (ready < 0) {
    throw std::system_error(
        -ready, std::generic_category(),
        "tg::select: the system cannot wait for " + std::to_string(polled_.size() - 1) + " file descriptors");
  }
  for (const pollfd& one : polled_) {
    if ((one.revents & POLLNVAL) == 0) continue;
    throw std::system_error(EBADF, std::generic_category(),
                            "tg::select: file descriptor " + std::to_string(one.fd) + " is not open");
  }
}

// As `sleep_and_ask_for_threads`.
int Poll::poll_and_ask_for_threads(TimePoint deadline) noexcept {
  ThreadCache& cache = ThreadCache::instance();
  if (!cache.is_short_of_threads() || !cache.begin_asking()) return poll(deadline);
  int ready = 0;
  for (;;) {
    const TimePoint ask_at = cache.ask_again();
    if (ask_at.is_never()) break;  // the caller looks again
    ready = poll(std::min(ask_at, deadline));
    if (ready != 0 || deadline <= ask_at) break;
  }
  cache.end_asking();
  return ready;
}

bool Poll::park(Flow& me, TimePoint deadline) noexcept {
  expect_no_lock("a flow goes to sleep while it holds a lock");
  int ready = 0;
  {
    const Asleep asleep(me);
    if (me.begin_polling()) ready = poll_and_ask_for_threads(deadline);
  }
  me.end_polling();
  if (polled_[0].revents != 0) {
    std::uint64_t wakes = 0;
    static_cast<void>(own::read(polled_[0].fd, &wakes, sizeof wakes));
  }
  return ready >= 0;
}

}  // namespace tg::inline v0::runtime

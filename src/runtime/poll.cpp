// SPDX-License-Identifier: Apache-2.0
// The system's poll, with a descriptor by which the flow is woken.
#include "runtime/poll.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <system_error>

#include "runtime/engine.hpp"
#include "runtime/sleep.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

void Poll::add(int descriptor, bool for_writing) {
  if (polled_.empty()) {
    refuse_real_io("tg::select with a file descriptor");
    polled_.push_back({Flow::current().wake_descriptor(), POLLIN, 0});
  }
  polled_.push_back({descriptor, static_cast<short>(for_writing ? POLLOUT : POLLIN), 0});
}

void Poll::poll(TimePoint deadline) noexcept {
  timespec left{};
  if (!deadline.is_never()) {
    const std::int64_t nanos = std::max<std::int64_t>((deadline - now()).nanos(), 0);
    left.tv_sec = static_cast<std::time_t>(nanos / 1'000'000'000);
    left.tv_nsec = static_cast<long>(nanos % 1'000'000'000);
  }
  if (::ppoll(polled_.data(), polled_.size(), deadline.is_never() ? nullptr : &left, nullptr) >= 0) return;
  for (pollfd& one : polled_) one.revents = 0;  // a signal
}

void Poll::park(Flow& me, TimePoint deadline) noexcept {
  expect_no_lock("a flow goes to sleep while it holds a lock");
  if (me.begin_polling()) poll(deadline);
  me.end_polling();
  if (polled_[0].revents == 0) return;
  std::uint64_t wakes = 0;
  static_cast<void>(::read(polled_[0].fd, &wakes, sizeof wakes));
}

}  // namespace tg::inline v0::runtime

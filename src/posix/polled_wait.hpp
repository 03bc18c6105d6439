// SPDX-License-Identifier: Apache-2.0
// What calls that poll have in common: time limits, and waits for a descriptor and for the event.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <optional>
#include <vector>

#include "runtime/system_time.hpp"
#include "tree/node.hpp"
#include "tree/stop_source.hpp"

namespace tg::inline v0::detail::polled {

/// Of a system call.
using Arguments = std::array<long, 6>;

/// The plain call. Returns a negative error number, or the result.
inline long plain(long number, const Arguments& a) noexcept {
  const long result = ::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  return result == -1 ? -errno : result;
}

template <class T>
T* pointer(long argument) noexcept {
  return reinterpret_cast<T*>(argument);
}

inline int number_of(long argument) noexcept { return static_cast<int>(argument); }

// --- Time ---

using runtime::difference;
using runtime::is_valid;
using runtime::time_on;

// A time limit of a call: a point on the steady clock, or none.
class Limit {
 public:
  explicit Limit(const timespec* time) noexcept {
    if (time != nullptr) end_ = runtime::sum(time_on(CLOCK_MONOTONIC), *time);
  }
  std::optional<timespec> left() const noexcept {
    if (!end_) return {};
    return difference(*end_, time_on(CLOCK_MONOTONIC));
  }

 private:
  std::optional<timespec> end_;
};

// --- Waiting ---

/// Polls for the calling thread, until the event of its node is set.
class Poll {
 public:
  explicit Poll(Node& node) : stop_(node.stop_source()->descriptor(node.event())) {}

  // Polls these, and the event. A descriptor that is ready counts, stopped or not. Returns as `ppoll` does, with a
  // negative error number.
  long wait(pollfd* fds, std::size_t count, const Limit& limit, const sigset_t* blocked = nullptr) const {
    std::vector<pollfd> all(fds, fds + count);
    all.push_back({stop_, POLLIN, 0});
    const std::optional<timespec> left = limit.left();
    const int ready = ::ppoll(all.data(), all.size(), left ? &*left : nullptr, blocked);
    if (ready < 0) return -errno;
    std::copy_n(all.begin(), count, fds);
    const bool is_stopped = all.back().revents != 0;
    return ready > 1 || !is_stopped ? ready - (is_stopped ? 1 : 0) : -ECANCELED;
  }
  // For what no descriptor tells. 0, or an error.
  long wait_a_moment() const {
    static constexpr timespec kMoment{0, 10'000'000};
    return wait(nullptr, 0, Limit(&kMoment));
  }
  // 0 once the descriptor is ready, `-EAGAIN` when the time is over, or another error.
  long wait(int fd, short events, const Limit& limit) const {
    pollfd one{fd, events, 0};
    const long ready = wait(&one, 1, limit);
    return ready > 0 ? 0 : ready == 0 ? -EAGAIN : ready;
  }

 private:
  const int stop_;
};

// A socket's own time limit, SO_RCVTIMEO or SO_SNDTIMEO. None for other descriptors.
inline Limit limit_of(int fd, int option) noexcept {
  timeval time{};
  socklen_t size = sizeof time;
  if (::getsockopt(fd, SOL_SOCKET, option, &time, &size) != 0 || (time.tv_sec == 0 && time.tv_usec == 0))
    return Limit(nullptr);
  const timespec limit = runtime::from_timeval(time);
  return Limit(&limit);
}

inline bool is_nonblocking(int fd) noexcept { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

}  // namespace tg::inline v0::detail::polled

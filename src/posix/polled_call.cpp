// SPDX-License-Identifier: Apache-2.0
// How each call waits, and how it is made without blocking.
#include "posix/polled_call.hpp"

#include "runtime/processor.hpp"

#if !TG_STOPPABLE_CALLS
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <threadgroup/detail/mutex.hpp>

#include "posix/polled_transfer.hpp"
#include "posix/polled_wait.hpp"
#include "runtime/fork.hpp"
#include "runtime/stoppable_call.hpp"

namespace tg::inline v0::detail {

namespace polled {
namespace {

// Held for a few calls that do not block.
constinit Mutex accept_mutex;
[[gnu::constructor(runtime::at_load::kLeaves)]] void hold_accept_mutex() {
  runtime::hold_across_forks([]() -> Mutex& { return accept_mutex; });
}

// --- Connections ---

// Several threads or processes may see the same peer. The listener does not block while a thread tries to accept, which other
// processes may notice. The lock keeps it from the threads of this one.
long try_to_accept(const Arguments& a, bool& is_blocking) {
  const MutexLock lock(accept_mutex);
  const int fd = number_of(a[0]);
  const int flags = ::fcntl(fd, F_GETFL);
  is_blocking = flags >= 0 && (flags & O_NONBLOCK) == 0;
  if (is_blocking) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  const long result = plain(SYS_accept4, a);
  if (is_blocking) ::fcntl(fd, F_SETFL, flags);
  return result;
}

long accept(const Poll& poll, const Arguments& a) {
  const int fd = number_of(a[0]);
  const Limit limit = limit_of(fd, SO_RCVTIMEO);
  for (;;) {
    bool is_blocking = false;
    const long result = try_to_accept(a, is_blocking);
    if (result != -EAGAIN || !is_blocking) return result;
    if (const long error = poll.wait(fd, POLLIN, limit); error != 0) return error;
  }
}

// The socket does not block in between, which other threads that use it at the same time may notice.
long connect(const Poll& poll, const Arguments& a) {
  const int fd = number_of(a[0]);
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) != 0) return plain(SYS_connect, a);
  const Limit limit = limit_of(fd, SO_SNDTIMEO);
  for (;;) {
    ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    const long result = plain(SYS_connect, a);
    ::fcntl(fd, F_SETFL, flags);
    if (result == -EAGAIN) {
      if (const std::optional<timespec> left = limit.left(); left && left->tv_sec == 0 && left->tv_nsec == 0)
        return result;
      // The queue of a UNIX listener is full.
      if (const long error = poll.wait_a_moment(); error != 0) return error;
      continue;
    }
    if (result != -EINPROGRESS && result != -EALREADY) return result;
    const long error = poll.wait(fd, POLLOUT, limit);
    if (error != 0) return error == -EAGAIN ? -EINPROGRESS : error;
    int failure = 0;
    socklen_t size = sizeof failure;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 ? -errno : -failure;
  }
}

// --- Waiting for descriptors, and for a time ---

long poll_them(const Poll& poll, const Arguments& a) {
  auto* const fds = pointer<pollfd>(a[0]);
  const auto count = static_cast<std::size_t>(a[1]);
  auto* const timeout = pointer<timespec>(a[2]);
  if (timeout != nullptr && !is_valid(*timeout)) return -EINVAL;
  if (fds == nullptr && count > 0) return -EFAULT;
  return poll.wait(fds, count, Limit(timeout), pointer<const sigset_t>(a[3]));
}

long select_them(const Poll& poll, const Arguments& a) {
  auto* const timeout = pointer<timespec>(a[4]);
  if (a[0] < 0 || a[0] > FD_SETSIZE || (timeout != nullptr && !is_valid(*timeout))) return -EINVAL;
  struct Kind {
    fd_set* set;
    short asked;
    int answers;
  };
  const std::array<Kind, 3> kinds{{{pointer<fd_set>(a[1]), POLLIN, POLLIN | POLLHUP | POLLERR},
                                   {pointer<fd_set>(a[2]), POLLOUT, POLLOUT | POLLERR},
                                   {pointer<fd_set>(a[3]), POLLPRI, POLLPRI}}};
  std::vector<pollfd> fds;
  for (int fd = 0; fd < a[0]; ++fd) {
    short events = 0;
    for (const Kind& kind : kinds)
      if (kind.set != nullptr && FD_ISSET(fd, kind.set)) events = static_cast<short>(events | kind.asked);
    if (events != 0) fds.push_back({fd, events, 0});
  }
  const Limit limit(timeout);
  const auto* const mask = pointer<const sigset_t* const>(a[5]);  // a pointer to the set, and its size
  const long ready = poll.wait(fds.data(), fds.size(), limit, mask != nullptr ? *mask : nullptr);
  if (timeout != nullptr) *timeout = *limit.left();
  if (ready < 0) return ready;
  if (std::any_of(fds.begin(), fds.end(), [](const pollfd& one) { return (one.revents & POLLNVAL) != 0; }))
    return -EBADF;
  long bits = 0;
  for (const Kind& kind : kinds) {
    for (const pollfd& one : fds) {
      if (kind.set == nullptr || !FD_ISSET(one.fd, kind.set)) continue;
      if ((one.revents & kind.answers) != 0) ++bits;
      else FD_CLR(one.fd, kind.set);
    }
  }
  return bits;
}

long wait_for_epoll(const Poll& poll, const Arguments& a) {
  const int epoll = number_of(a[0]);
  const int milliseconds = number_of(a[3]);
  const timespec time = runtime::from_milliseconds(milliseconds);
  const Limit limit(milliseconds < 0 ? nullptr : &time);
  for (;;) {
    const int ready = ::epoll_wait(epoll, pointer<epoll_event>(a[1]), number_of(a[2]), 0);
    if (ready != 0) return ready < 0 ? -errno : ready;
    pollfd one{epoll, POLLIN, 0};
    const long result = poll.wait(&one, 1, limit, pointer<const sigset_t>(a[4]));
    if (result <= 0) return result;
  }
}

long sleep(const Poll& poll, clockid_t clock, bool until, const timespec* time, timespec* left) {
  if (time == nullptr) return -EFAULT;
  if (!is_valid(*time)) return -EINVAL;
  // Clocks other than the steady one cannot be polled with; the difference is converted once.
  const timespec from_now = until ? difference(*time, time_on(clock)) : *time;
  const Limit limit(&from_now);
  const long result = poll.wait(nullptr, 0, limit);
  if (result < 0 && !until && left != nullptr) *left = *limit.left();
  return result;
}

// --- Processes ---

// Becomes readable when the process has ended. -1 if there is none: before Linux 5.3, or if the descriptors have run out.
class ProcessDescriptor {
 public:
  explicit ProcessDescriptor(pid_t process) noexcept
      : fd_(process > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, process, 0)) : -1) {}
  ~ProcessDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  ProcessDescriptor(const ProcessDescriptor&) = delete;
  ProcessDescriptor& operator=(const ProcessDescriptor&) = delete;
  int number() const noexcept { return fd_; }

 private:
  const int fd_;
};

// Asks until the answer is not 0. The descriptor, if there is one, tells when the process has ended. But a process that is traced
// cannot be waited for until its tracer has done so; and nothing tells of the end of any of several processes.
template <class Ask>
long ask_until_answered(const Poll& poll, int descriptor, Ask ask) {
  for (bool is_announced = descriptor >= 0;; is_announced = false) {
    if (const long answer = ask(); answer != 0) return answer;
    const long error = is_announced ? poll.wait(descriptor, POLLIN, Limit(nullptr)) : poll.wait_a_moment();
    if (error != 0) return error;
  }
}

long wait_for_process(const Poll& poll, const Arguments& a) {
  const auto process = static_cast<pid_t>(a[0]);
  // Opened before the first question, whose answer says whether the number is that of a child.
  const ProcessDescriptor fd(a[2] == 0 ? process : -1);
  return ask_until_answered(poll, fd.number(), [&] {
    return plain(SYS_wait4, {a[0], a[1], a[2] | WNOHANG, a[3]});
  });
}

long wait_for_state(const Poll& poll, const Arguments& a) {
  if (a[0] == P_PIDFD && is_nonblocking(number_of(a[1]))) return plain(SYS_waitid, a);
  const bool is_for_end = (a[3] & ~long{WNOWAIT}) == WEXITED;
  const ProcessDescriptor opened(is_for_end && a[0] == P_PID ? static_cast<pid_t>(a[1]) : -1);
  const int fd = is_for_end && a[0] == P_PIDFD ? number_of(a[1]) : opened.number();
  const long answer = ask_until_answered(poll, fd, [&]() -> long {
    siginfo_t found{};
    const long error = plain(SYS_waitid, {a[0], a[1], runtime::to_argument(&found), a[3] | WNOHANG, a[4]});
    if (error != 0 || found.si_pid == 0) return error;
    if (auto* const info = pointer<siginfo_t>(a[2])) *info = found;
    return found.si_pid;
  });
  return std::min(answer, 0L);
}

// --- Messages ---

// The call with a deadline that has passed does not block.
long move_message(const Poll& poll, long number, const Arguments& a) {
  const auto* const deadline = pointer<const timespec>(a[4]);
  if (deadline != nullptr && !is_valid(*deadline)) return -EINVAL;
  const timespec from_now = deadline != nullptr ? difference(*deadline, time_on(CLOCK_REALTIME)) : timespec{};
  const Limit limit(deadline != nullptr ? &from_now : nullptr);
  const timespec past{};
  for (;;) {
    const long result = plain(number, {a[0], a[1], a[2], a[3], runtime::to_argument(&past)});
    if (result != -ETIMEDOUT) return result;
    const long error = poll.wait(number_of(a[0]), number == SYS_mq_timedsend ? POLLOUT : POLLIN, limit);
    if (error != 0) return error == -EAGAIN ? -ETIMEDOUT : error;
  }
}

}  // namespace
}  // namespace polled

long polled_call(Node* node, long number, const std::array<long, 6>& a) {
  using namespace polled;
  if (node == nullptr) return plain(number, a);
  const Poll poll(*node);
  switch (number) {
    case SYS_read:
    case SYS_readv:
    case SYS_write:
    case SYS_writev:
      return read_or_write(poll, number, a);
    case SYS_recvfrom:
    case SYS_recvmsg:
      return receive_from(poll, number, a);
    case SYS_sendto:
    case SYS_sendmsg:
      return send_to(poll, number, a);
    case SYS_accept4:
      return accept(poll, a);
    case SYS_connect:
      return connect(poll, a);
    case SYS_ppoll:
      return poll_them(poll, a);
    case SYS_pselect6:
      return select_them(poll, a);
    case SYS_epoll_pwait:
      return wait_for_epoll(poll, a);
    case SYS_nanosleep:
      return sleep(poll, CLOCK_MONOTONIC, false, pointer<const timespec>(a[0]), pointer<timespec>(a[1]));
    case SYS_clock_nanosleep:
      if (!runtime::is_ordinary(number_of(a[0]))) return plain(number, a);
      return sleep(poll, number_of(a[0]), (a[1] & TIMER_ABSTIME) != 0, pointer<const timespec>(a[2]),
                   pointer<timespec>(a[3]));
    case SYS_rt_sigsuspend:
      return poll.wait(nullptr, 0, Limit(nullptr), pointer<const sigset_t>(a[0]));
    case SYS_wait4:
      return wait_for_process(poll, a);
    case SYS_waitid:
      return wait_for_state(poll, a);
    case SYS_mq_timedsend:
    case SYS_mq_timedreceive:
      return move_message(poll, number, a);
    default:
      return plain(number, a);
  }
}

}  // namespace tg::inline v0::detail
#endif

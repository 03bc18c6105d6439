// SPDX-License-Identifier: Apache-2.0
// The calls, each by its number. `open`, `poll`, `accept` and others that newer processors lack are made by their
// successors: `openat`, `ppoll`, `accept4`.
//
// The C library's functions may be the interposer's, which call these again where the caller can be stopped. So they are called only
// where it cannot.
#include <threadgroup/posix.hpp>

#include <sys/file.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <threadgroup/detail/mutex.hpp>

#include "posix/arguments.hpp"
#include "posix/covered_call.hpp"
#include "runtime/event_descriptor.hpp"
#include "runtime/fork.hpp"
#include "runtime/own_calls.hpp"
#include "runtime/semaphore_waiter.hpp"
#include "runtime/stop_signal.hpp"
#include "runtime/system_time.hpp"
#include "tree/stop_source.hpp"

namespace tg::inline v0 {

namespace {
constinit detail::Mutex never_readable_mutex;
constinit const runtime::EventDescriptor* never_readable TG_GUARDED_BY(never_readable_mutex) = nullptr;

[[gnu::constructor(runtime::at_load::kLeaves)]] void hold_never_readable() {
  runtime::hold_across_forks([]() -> detail::Mutex& { return never_readable_mutex; });
  // A child often closes all descriptors that it has inherited.
  runtime::at_fork(nullptr, nullptr, []() TG_NO_THREAD_SAFETY_ANALYSIS { never_readable = nullptr; });
}
}  // namespace

int stop_fd() {
  runtime::refuse_real_io("tg::stop_fd");
  if (detail::Node* const node = detail::innermost_node_of_caller())
    return node->stop_source()->descriptor(node->event());
  const detail::MutexLock lock(never_readable_mutex);
  if (never_readable == nullptr) never_readable = new runtime::EventDescriptor;
  return never_readable->number();
}

}  // namespace tg::inline v0

namespace tg::inline v0::posix {

namespace {

using detail::CoveredCall;
using detail::SignalSet;
using detail::TimeLeft;
using detail::Timeout;
using runtime::kMaskBytes;

int select_with(const CoveredCall& call, int count, fd_set* readable, fd_set* writable, fd_set* others,
                Timeout& timeout, const SignalSet& blocked) {
  const struct {
    const sigset_t* set;
    std::size_t bytes;
  } mask{blocked.get(), kMaskBytes};
  return static_cast<int>(call.make(SYS_pselect6, count, readable, writable, others, timeout.get(), &mask));
}

// Operations that only add do not wait. The kernel rejects a null pointer at once.
bool may_wait(const sembuf* operations, std::size_t count) {
  // SEMOPM: the kernel reads no more, unless an administrator has raised it.
  constexpr std::size_t kMost = 500;
  return operations != nullptr &&
         (count > kMost ||
          std::any_of(operations, operations + count, [](const sembuf& one) { return one.sem_op <= 0; }));
}

}  // namespace

// --- Reading and writing ---

ssize_t read(int fd, void* buffer, std::size_t bytes) {
  const CoveredCall call("read");
  return call ? call.make_on(SYS_read, fd, buffer, bytes) : ::read(fd, buffer, bytes);
}

ssize_t readv(int fd, const iovec* parts, int count) {
  const CoveredCall call("readv");
  return call ? call.make_on(SYS_readv, fd, parts, count) : ::readv(fd, parts, count);
}

ssize_t pread(int fd, void* buffer, std::size_t bytes, off_t offset) {
  const CoveredCall call("pread");
  return call ? call.make_on(SYS_pread64, fd, buffer, bytes, offset) : ::pread(fd, buffer, bytes, offset);
}

ssize_t write(int fd, const void* buffer, std::size_t bytes) {
  const CoveredCall call("write");
  return call ? call.make_on(SYS_write, fd, buffer, bytes) : ::write(fd, buffer, bytes);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  const CoveredCall call("writev");
  return call ? call.make_on(SYS_writev, fd, parts, count) : ::writev(fd, parts, count);
}

ssize_t pwrite(int fd, const void* buffer, std::size_t bytes, off_t offset) {
  const CoveredCall call("pwrite");
  return call ? call.make_on(SYS_pwrite64, fd, buffer, bytes, offset) : ::pwrite(fd, buffer, bytes, offset);
}

int openat(int folder, const char* path, int flags, mode_t mode) {
  const CoveredCall call("open");
  return call ? static_cast<int>(call.make(SYS_openat, folder, path, flags, mode))
              : ::openat(folder, path, flags, mode);
}

int open(const char* path, int flags, mode_t mode) { return posix::openat(AT_FDCWD, path, flags, mode); }

ssize_t splice(int from, off64_t* from_offset, int to, off64_t* to_offset, std::size_t bytes,
               unsigned flags) {
  const CoveredCall call("splice");
  return call ? call.make_on(SYS_splice, from, from_offset, to, to_offset, bytes, flags)
              : ::splice(from, from_offset, to, to_offset, bytes, flags);
}

ssize_t sendfile(int to, int from, off_t* offset, std::size_t bytes) {
  const CoveredCall call("sendfile");
  return call ? call.make_on(SYS_sendfile, to, from, offset, bytes) : ::sendfile(to, from, offset, bytes);
}

ssize_t copy_file_range(int from, off64_t* from_offset, int to, off64_t* to_offset, std::size_t bytes,
                        unsigned flags) {
  const CoveredCall call("copy_file_range");
  return call ? call.make_on(SYS_copy_file_range, from, from_offset, to, to_offset, bytes, flags)
              : ::copy_file_range(from, from_offset, to, to_offset, bytes, flags);
}

ssize_t getrandom(void* buffer, std::size_t bytes, unsigned flags) {
  const CoveredCall call("getrandom");
  return call ? call.make(SYS_getrandom, buffer, bytes, flags) : ::getrandom(buffer, bytes, flags);
}

// --- Sockets ---

ssize_t recvfrom(int socket, void* buffer, std::size_t bytes, int flags, sockaddr* from, socklen_t* size) {
  const CoveredCall call("recv");
  return call ? call.make_on(SYS_recvfrom, socket, buffer, bytes, flags, from, size)
              : ::recvfrom(socket, buffer, bytes, flags, from, size);
}

ssize_t recv(int socket, void* buffer, std::size_t bytes, int flags) {
  return posix::recvfrom(socket, buffer, bytes, flags, nullptr, nullptr);
}

ssize_t recvmsg(int socket, msghdr* message, int flags) {
  const CoveredCall call("recvmsg");
  return call ? call.make_on(SYS_recvmsg, socket, message, flags) : ::recvmsg(socket, message, flags);
}

ssize_t sendto(int socket, const void* buffer, std::size_t bytes, int flags, const sockaddr* to,
               socklen_t size) {
  const CoveredCall call("send");
  return call ? call.make_on(SYS_sendto, socket, buffer, bytes, flags, to, size)
              : ::sendto(socket, buffer, bytes, flags, to, size);
}

ssize_t send(int socket, const void* buffer, std::size_t bytes, int flags) {
  return posix::sendto(socket, buffer, bytes, flags, nullptr, 0);
}

ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  const CoveredCall call("sendmsg");
  return call ? call.make_on(SYS_sendmsg, socket, message, flags) : ::sendmsg(socket, message, flags);
}

int accept4(int socket, sockaddr* peer, socklen_t* size, int flags) {
  const CoveredCall call("accept");
  return call ? static_cast<int>(call.make_on(SYS_accept4, socket, peer, size, flags))
              : ::accept4(socket, peer, size, flags);
}

int accept(int socket, sockaddr* peer, socklen_t* size) { return posix::accept4(socket, peer, size, 0); }

int connect(int socket, const sockaddr* peer, socklen_t size) {
  const CoveredCall call("connect");
  return call ? static_cast<int>(call.make_on(SYS_connect, socket, peer, size))
              : ::connect(socket, peer, size);
}

// --- Waiting for descriptors ---

int ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* blocked) {
  const CoveredCall call("poll");
  if (!call) return ::ppoll(fds, count, timeout, blocked);
  Timeout left(timeout);
  const SignalSet mask(blocked);
  return static_cast<int>(call.make(SYS_ppoll, fds, count, left.get(), mask.get(), kMaskBytes));
}

int poll(pollfd* fds, nfds_t count, int milliseconds) {
  return posix::ppoll(fds, count, Timeout::of_milliseconds(milliseconds).get(), nullptr);
}

int pselect(int count, fd_set* readable, fd_set* writable, fd_set* others, const timespec* timeout,
            const sigset_t* blocked) {
  const CoveredCall call("select");
  if (!call) return ::pselect(count, readable, writable, others, timeout, blocked);
  Timeout left(timeout);
  return select_with(call, count, readable, writable, others, left, SignalSet(blocked));
}

int select(int count, fd_set* readable, fd_set* writable, fd_set* others, timeval* timeout) {
  const CoveredCall call("select");
  if (!call) return ::select(count, readable, writable, others, timeout);
  if (timeout != nullptr && (timeout->tv_sec < 0 || timeout->tv_usec < 0)) {
    errno = EINVAL;
    return -1;
  }
  const timespec time = timeout != nullptr ? runtime::from_timeval(*timeout) : timespec{};
  Timeout left(timeout != nullptr ? &time : nullptr);
  const int ready = select_with(call, count, readable, writable, others, left, SignalSet(nullptr));
  if (timeout != nullptr) *timeout = {left.left().tv_sec, left.left().tv_nsec / 1000};  // as Linux does
  return ready;
}

int epoll_pwait(int epoll, epoll_event* events, int most, int milliseconds, const sigset_t* blocked) {
  const CoveredCall call("epoll_wait");
  if (!call) return ::epoll_pwait(epoll, events, most, milliseconds, blocked);
  const SignalSet mask(blocked);
  return static_cast<int>(
      call.make_on(SYS_epoll_pwait, epoll, events, most, milliseconds, mask.get(), kMaskBytes));
}

int epoll_wait(int epoll, epoll_event* events, int most, int milliseconds) {
  return posix::epoll_pwait(epoll, events, most, milliseconds, nullptr);
}

// --- Processes ---

// With WNOHANG, which does not wait, it is the plain call: a stopped task must know which of its children have ended.
pid_t wait4(pid_t process, int* status, int options, struct rusage* usage) {
  const CoveredCall call("waitpid");
  if (!call) return ::wait4(process, status, options, usage);
  if ((options & WNOHANG) != 0) return runtime::own::wait4(process, status, options, usage);
  return static_cast<pid_t>(call.make(SYS_wait4, process, status, options, usage));
}

pid_t waitpid(pid_t process, int* status, int options) {
  return posix::wait4(process, status, options, nullptr);
}

int waitid(idtype_t kind, id_t id, siginfo_t* info, int options) {
  const CoveredCall call("waitid");
  if (!call) return ::waitid(kind, id, info, options);
  if ((options & WNOHANG) != 0) return runtime::own::waitid(kind, id, info, options);
  return static_cast<int>(call.make(SYS_waitid, kind, id, info, options, nullptr));
}

// --- Time ---

int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  const CoveredCall call("nanosleep");
  if (!call) return ::clock_nanosleep(clock, flags, time, left);
  if (clock == CLOCK_THREAD_CPUTIME_ID) return EINVAL;  // as the C library does
  const TimeLeft at_first((flags & TIMER_ABSTIME) != 0 ? nullptr : left, time);
  const int error = static_cast<int>(-call.make_raw(SYS_clock_nanosleep, clock, flags, time, left));
  at_first.end(error);
  return error;
}

int nanosleep(const timespec* time, timespec* left) {
  const CoveredCall call("nanosleep");
  if (!call) return ::nanosleep(time, left);
  const TimeLeft at_first(left, time);
  const int result = static_cast<int>(call.make(SYS_nanosleep, time, left));
  at_first.end(result == 0 ? 0 : errno);
  return result;
}

// --- Locks of files ---

int flock(int fd, int operation) {
  const CoveredCall call("flock");
  if (!call) return ::flock(fd, operation);
  // They do not wait, and a stopped task must unlock.
  if ((operation & (LOCK_UN | LOCK_NB)) != 0) return runtime::own::flock(fd, operation);
  return static_cast<int>(call.make_on(SYS_flock, fd, operation));
}

int fcntl(int fd, int command, struct flock* lock) {
  const CoveredCall call("fcntl");
  const bool waits =
      (command == F_SETLKW || command == F_OFD_SETLKW) && lock != nullptr && lock->l_type != F_UNLCK;
  if (!call) return ::fcntl(fd, command, lock);
  return waits ? static_cast<int>(call.make_on(SYS_fcntl, fd, command, lock))
               : runtime::own::fcntl(fd, command, lock);
}

// --- Signals ---

int sigtimedwait(const sigset_t* signals, siginfo_t* info, const timespec* timeout) {
  const CoveredCall call("sigtimedwait");
  if (!call) return ::sigtimedwait(signals, info, timeout);
  const SignalSet wanted(signals);
  const int number =
      static_cast<int>(call.make(SYS_rt_sigtimedwait, wanted.get(), info, timeout, kMaskBytes));
  if (number > 0 && info != nullptr && info->si_code == SI_TKILL)
    info->si_code = SI_USER;  // as glibc does, for `raise`
  return number;
}

int sigwaitinfo(const sigset_t* signals, siginfo_t* info) {
  return posix::sigtimedwait(signals, info, nullptr);
}

int pause() {
  const CoveredCall call("pause");
  return call ? static_cast<int>(call.make(SYS_ppoll, nullptr, 0, nullptr, nullptr, kMaskBytes)) : ::pause();
}

int sigsuspend(const sigset_t* blocked) {
  const CoveredCall call("sigsuspend");
  // The C library's is said to be unsafe with threads.
  if (!call) return static_cast<int>(::syscall(SYS_rt_sigsuspend, blocked, kMaskBytes));
  const SignalSet mask(blocked);
  return static_cast<int>(call.make(SYS_rt_sigsuspend, mask.get(), kMaskBytes));
}

// --- Messages and semaphores ---

int mq_timedsend(mqd_t queue, const char* message, std::size_t bytes, unsigned priority,
                 const timespec* deadline) {
  const CoveredCall call("mq_timedsend");
  return call ? static_cast<int>(call.make_on(SYS_mq_timedsend, queue, message, bytes, priority, deadline))
              : ::mq_timedsend(queue, message, bytes, priority, deadline);
}

ssize_t mq_timedreceive(mqd_t queue, char* message, std::size_t bytes, unsigned* priority,
                        const timespec* deadline) {
  const CoveredCall call("mq_timedreceive");
  return call ? call.make_on(SYS_mq_timedreceive, queue, message, bytes, priority, deadline)
              : ::mq_timedreceive(queue, message, bytes, priority, deadline);
}

ssize_t msgrcv(int queue, void* message, std::size_t bytes, long type, int flags) {
  const CoveredCall call("msgrcv");
  return call ? call.make(SYS_msgrcv, queue, message, bytes, type, flags)
              : ::msgrcv(queue, message, bytes, type, flags);
}

int msgsnd(int queue, const void* message, std::size_t bytes, int flags) {
  const CoveredCall call("msgsnd");
  return call ? static_cast<int>(call.make(SYS_msgsnd, queue, message, bytes, flags))
              : ::msgsnd(queue, message, bytes, flags);
}

int semtimedop(int set, sembuf* operations, std::size_t count, const timespec* timeout) {
  const CoveredCall call("semop");
  if (!call) return ::semtimedop(set, operations, count, timeout);
  return may_wait(operations, count)
             ? static_cast<int>(call.make(SYS_semtimedop, set, operations, count, timeout))
             : static_cast<int>(::syscall(SYS_semtimedop, set, operations, count, timeout));
}

int semop(int set, sembuf* operations, std::size_t count) {
  return posix::semtimedop(set, operations, count, nullptr);
}

int sem_wait(sem_t* semaphore) {
  const CoveredCall call("sem_wait");
#if TG_KNOWS_SEMAPHORES
  if (!call) return ::sem_wait(semaphore);
  if (call.is_stopped()) {
    errno = ECANCELED;
    return -1;
  }
  for (;;) {
    // Before another look at the stop: if `sem_post` has woken this waiter, it has woken no other, and the value is for it.
    if (::sem_trywait(semaphore) == 0) return 0;
    if (errno != EAGAIN) return -1;
    const runtime::SemaphoreWaiter waiter(*semaphore);
    const long result = call.make_raw(waiter.kCall, semaphore, waiter.operation(), 0, nullptr);
    if (result != -ECANCELED && result != -EINTR) continue;
    errno = static_cast<int>(-result);
    return -1;
  }
#else
  if (!call) return ::sem_wait(semaphore);
  for (;;) {
    if (call.is_stopped()) {
      errno = ECANCELED;
      return -1;
    }
    // Only the C library knows how a waiter waits here, so the stop is checked every 10 ms.
    const timespec soon = runtime::sum(runtime::time_on(CLOCK_REALTIME), runtime::from_milliseconds(10));
    if (::sem_timedwait(semaphore, &soon) == 0) return 0;
    if (errno != ETIMEDOUT) return -1;
  }
#endif
}

void use_signal(int number) { runtime::StopSignal::choose(number); }

}  // namespace tg::inline v0::posix

// SPDX-License-Identifier: Apache-2.0
// System calls that a stop ends.
#pragma once

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, with sigset_t and siginfo_t
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cstddef>
#include <ctime>

#include <threadgroup/detail/config.hpp>
#include <threadgroup/detail/export.hpp>

namespace tg {
inline namespace v0 {

/// A descriptor that becomes readable permanently, when the caller's innermost scope or group is stopped: for event loops
/// of other libraries. One for each group and scope, made when it is first asked for; it is closed when the group or
/// scope is gone. Outside groups and scopes it is one that never becomes readable. Only for polling.
///
/// Throws `std::system_error` if the process has no descriptor left, `std::bad_alloc`, and `std::logic_error` in a
/// simulated program.
TG_EXPORT int stop_fd();

/// POSIX's calls with their own signatures. A task, or a thread in a scope, that is stopped while it is in one of them
/// is woken: the call returns -1 with `errno == ECANCELED`, and has done nothing. What has been done counts: a `write`
/// of which a part was written returns how much. Once the caller is stopped, each call returns at once. A deadline is a
/// `StopScope`. Outside groups and scopes they are the plain calls. docs/system_calls.md has a table of all of them.
///
///     const ssize_t bytes = tg::posix::read(socket, buffer, sizeof buffer);
///     if (bytes < 0 && errno == ECANCELED) return;      // stopped; no byte was taken
///
/// On processors other than x86-64 and AArch64 the calls poll, and some cannot be stopped: docs/system_calls.md lists
/// them. With a C library other than glibc, `sem_wait` checks for a stop every 10 ms.
///
/// Guarantees: neither a stop nor a byte is lost. A stop causes EINTR in no other call, except one that is never
/// restarted, in a signal handler that has interrupted a call of `tg::posix`.
///
/// Errors: the first call under a group or scope installs a handler for one real-time signal (see `use_signal`). It
/// throws `std::system_error` if the program handles that signal itself or the system forbids signals to threads, or
/// `std::bad_alloc` if there is no memory for the text that says so. Calls that poll throw `std::system_error` if the
/// event has no descriptor and cannot get one, and may throw `std::bad_alloc`. In a simulated program each call throws
/// `std::logic_error`.
///
/// Thread safety: as the calls themselves.
namespace posix {

/// `read(2)`, which a stop ends.
TG_EXPORT ssize_t read(int fd, void* buffer, std::size_t bytes);
/// `readv(2)`, which a stop ends.
TG_EXPORT ssize_t readv(int fd, const iovec* parts, int count);
/// `pread(2)`, which a stop ends.
TG_EXPORT ssize_t pread(int fd, void* buffer, std::size_t bytes, off_t offset);
/// `write(2)`, which a stop ends.
TG_EXPORT ssize_t write(int fd, const void* buffer, std::size_t bytes);
/// `writev(2)`, which a stop ends.
TG_EXPORT ssize_t writev(int fd, const iovec* parts, int count);
/// `pwrite(2)`, which a stop ends.
TG_EXPORT ssize_t pwrite(int fd, const void* buffer, std::size_t bytes, off_t offset);
/// Blocks for a FIFO until the other side has opened it.
TG_EXPORT int open(const char* path, int flags, mode_t mode = 0);
/// `openat(2)`, which a stop ends.
TG_EXPORT int openat(int folder, const char* path, int flags, mode_t mode = 0);

/// `recv(2)`, which a stop ends.
TG_EXPORT ssize_t recv(int socket, void* buffer, std::size_t bytes, int flags);
/// `recvfrom(2)`, which a stop ends.
TG_EXPORT ssize_t recvfrom(int socket, void* buffer, std::size_t bytes, int flags, sockaddr* from,
                           socklen_t* size);
/// `recvmsg(2)`, which a stop ends.
TG_EXPORT ssize_t recvmsg(int socket, msghdr* message, int flags);
/// `send(2)`, which a stop ends.
TG_EXPORT ssize_t send(int socket, const void* buffer, std::size_t bytes, int flags);
/// `sendto(2)`, which a stop ends.
TG_EXPORT ssize_t sendto(int socket, const void* buffer, std::size_t bytes, int flags, const sockaddr* to,
                         socklen_t size);
/// `sendmsg(2)`, which a stop ends.
TG_EXPORT ssize_t sendmsg(int socket, const msghdr* message, int flags);
/// `accept(2)`, which a stop ends.
TG_EXPORT int accept(int socket, sockaddr* peer, socklen_t* size);
/// A peer that was accepted in the moment of the stop is returned; no descriptor is lost.
TG_EXPORT int accept4(int socket, sockaddr* peer, socklen_t* size, int flags);
/// If it is stopped, the connection is still being made: a second call fails with EALREADY, or EISCONN once it is there.
TG_EXPORT int connect(int socket, const sockaddr* peer, socklen_t size);

/// `poll(2)`, which a stop ends.
TG_EXPORT int poll(pollfd* fds, nfds_t count, int milliseconds);
/// `ppoll(2)`, which a stop ends.
TG_EXPORT int ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* blocked);
/// `select(2)`, which a stop ends.
TG_EXPORT int select(int count, fd_set* readable, fd_set* writable, fd_set* others, timeval* timeout);
/// `pselect(2)`, which a stop ends.
TG_EXPORT int pselect(int count, fd_set* readable, fd_set* writable, fd_set* others, const timespec* timeout,
                      const sigset_t* blocked);
/// `epoll_wait(2)`, which a stop ends.
TG_EXPORT int epoll_wait(int epoll, epoll_event* events, int most, int milliseconds);
/// `epoll_pwait(2)`, which a stop ends.
TG_EXPORT int epoll_pwait(int epoll, epoll_event* events, int most, int milliseconds,
                          const sigset_t* blocked);

/// `wait4(2)`, which a stop ends. With `WNOHANG`, which does not wait, it is the plain call, also in a stopped task.
TG_EXPORT pid_t wait4(pid_t process, int* status, int options, struct rusage* usage);
/// `waitpid(2)`: as `wait4`.
TG_EXPORT pid_t waitpid(pid_t process, int* status, int options);
/// `waitid(2)`: as `wait4`.
TG_EXPORT int waitid(idtype_t kind, id_t id, siginfo_t* info, int options);

/// `nanosleep(2)`, which a stop ends.
TG_EXPORT int nanosleep(const timespec* time, timespec* left);
/// As POSIX's, it returns the error number: ECANCELED if it was stopped.
TG_EXPORT int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left);

/// `flock(2)`, which a stop ends. Unlocking and `LOCK_NB`, which do not wait, are the plain call, also in a
/// stopped task.
TG_EXPORT int flock(int fd, int operation);
/// `F_SETLKW` and `F_OFD_SETLKW`, which wait for a lock; unlocking and other commands are the plain call.
TG_EXPORT int fcntl(int fd, int command, struct flock* lock);

/// `sigtimedwait(2)`, which a stop ends.
TG_EXPORT int sigtimedwait(const sigset_t* signals, siginfo_t* info, const timespec* timeout);
/// `sigwaitinfo(2)`, which a stop ends.
TG_EXPORT int sigwaitinfo(const sigset_t* signals, siginfo_t* info);
/// `pause(2)`, which a stop ends.
TG_EXPORT int pause();
/// `sigsuspend(2)`, which a stop ends.
TG_EXPORT int sigsuspend(const sigset_t* blocked);

/// `mq_timedsend(2)`, which a stop ends.
TG_EXPORT int mq_timedsend(mqd_t queue, const char* message, std::size_t bytes, unsigned priority,
                           const timespec* deadline);
/// `mq_timedreceive(2)`, which a stop ends.
TG_EXPORT ssize_t mq_timedreceive(mqd_t queue, char* message, std::size_t bytes, unsigned* priority,
                                  const timespec* deadline);
/// `msgrcv(2)`, which a stop ends.
TG_EXPORT ssize_t msgrcv(int queue, void* message, std::size_t bytes, long type, int flags);
/// `msgsnd(2)`, which a stop ends.
TG_EXPORT int msgsnd(int queue, const void* message, std::size_t bytes, int flags);
/// `semop(2)`, which a stop ends.
TG_EXPORT int semop(int set, sembuf* operations, std::size_t count);
/// `semtimedop(2)`, which a stop ends.
TG_EXPORT int semtimedop(int set, sembuf* operations, std::size_t count, const timespec* timeout);
/// `sem_wait(3)`, which a stop ends.
TG_EXPORT int sem_wait(sem_t* semaphore);

/// `splice(2)`, which a stop ends.
TG_EXPORT ssize_t splice(int from, off64_t* from_offset, int to, off64_t* to_offset, std::size_t bytes,
                         unsigned flags);
/// `sendfile(2)`, which a stop ends.
TG_EXPORT ssize_t sendfile(int to, int from, off_t* offset, std::size_t bytes);
/// `copy_file_range(2)`, which a stop ends.
TG_EXPORT ssize_t copy_file_range(int from, off64_t* from_offset, int to, off64_t* to_offset,
                                  std::size_t bytes, unsigned flags);
/// `getrandom(2)`, which a stop ends.
TG_EXPORT ssize_t getrandom(void* buffer, std::size_t bytes, unsigned flags);

/// Chooses the signal that takes threads out of calls, which is `SIGRTMAX - 3` otherwise. Throws
/// `std::invalid_argument` if it is not a real-time signal, and `std::logic_error` once the handler is installed.
TG_EXPORT void use_signal(int number);

}  // namespace posix
}  // namespace v0
}  // namespace tg

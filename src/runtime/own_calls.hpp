// SPDX-License-Identifier: Apache-2.0
// The system calls that the library makes for itself.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, with siginfo_t
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <ctime>

#include "runtime/system_time.hpp"

/// Calls that no stop ends, although the caller may be a stopped task and the program may have replaced the C library's
/// functions by ones that a stop ends (`threadgroup::interpose`): each is made by its number. Same parameters and results as
/// the functions of these names. `tools/check_layers` finds calls of those functions elsewhere in the library.
///
/// They are no cancellation points of `pthread_cancel`, and sanitizers do not see them.
namespace tg::inline v0::runtime::own {

/// Takes what a call has opened, or -1. Returns the same file, closed by exec, under a number above those of the standard descriptors, or
/// -1. If the program has closed one of those, the next file that is opened gets its number, and what the program prints.
inline int above_standard(int opened) noexcept {
  if (opened < 0 || opened > STDERR_FILENO) return opened;
  const int moved = ::fcntl(opened, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error = errno;
  ::close(opened);
  errno = error;
  return moved;
}

inline ssize_t read(int fd, void* buffer, std::size_t bytes) noexcept {
  return ::syscall(SYS_read, fd, buffer, bytes);
}
inline ssize_t write(int fd, const void* buffer, std::size_t bytes) noexcept {
  return ::syscall(SYS_write, fd, buffer, bytes);
}
/// Of a file that exec closes.
inline int open(const char* path, int flags, mode_t mode) noexcept {
  return above_standard(static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode)));
}
inline ssize_t recv(int socket, void* buffer, std::size_t bytes, int flags) noexcept {
  return ::syscall(SYS_recvfrom, socket, buffer, bytes, flags, nullptr, nullptr);
}
inline ssize_t send(int socket, const void* buffer, std::size_t bytes, int flags) noexcept {
  return ::syscall(SYS_sendto, socket, buffer, bytes, flags, nullptr, 0);
}
/// The kernel writes the time that is left into `timeout`.
inline int ppoll(pollfd* fds, nfds_t count, timespec* timeout) noexcept {
  return static_cast<int>(::syscall(SYS_ppoll, fds, count, timeout, nullptr, 0));
}
inline int poll(pollfd* fds, nfds_t count, int milliseconds) noexcept {
  timespec timeout = from_milliseconds(milliseconds);
  return own::ppoll(fds, count, milliseconds < 0 ? nullptr : &timeout);
}
inline pid_t wait4(pid_t process, int* status, int options, struct rusage* usage) noexcept {
  return static_cast<pid_t>(::syscall(SYS_wait4, process, status, options, usage));
}
inline int waitid(idtype_t kind, id_t id, siginfo_t* info, int options) noexcept {
  return static_cast<int>(::syscall(SYS_waitid, kind, id, info, options, nullptr));
}
inline int nanosleep(const timespec* time) noexcept {
  return static_cast<int>(::syscall(SYS_nanosleep, time, nullptr));
}
inline int flock(int fd, int operation) noexcept {
  return static_cast<int>(::syscall(SYS_flock, fd, operation));
}
inline int fcntl(int fd, int command, void* argument) noexcept {
  return static_cast<int>(::syscall(SYS_fcntl, fd, command, argument));
}

}  // namespace tg::inline v0::runtime::own

// SPDX-License-Identifier: Apache-2.0
// Reading, writing, opening and locking files. A stopped task can roll back, write its log, save its files and wake other threads:
// if `tg::posix` refuses a call that does not wait, the plain call is made.
#include "interpose/files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>

#include <threadgroup/posix.hpp>

#include "interpose/at_once.hpp"
#include "interpose/next_function.hpp"
#include "interpose/stoppable.hpp"
#include "posix/foreign_call.hpp"
#include "runtime/own_calls.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): the C library's names
extern "C" {
// What <unistd.h> and <fcntl.h> make of the calls under _FORTIFY_SOURCE. `room` is how much memory there is.
ssize_t __read_chk(int fd, void* buffer, std::size_t bytes, std::size_t room);
int __open_2(const char* path, int flags);
int __open64_2(const char* path, int flags);
int __openat_2(int folder, const char* path, int flags);
int __openat64_2(int folder, const char* path, int flags);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace tg::inline v0::interpose {

namespace {
using detail::ForeignCall;
using interpose::never_waits;

constinit NextFunction next_read("read", ::read);
constinit NextFunction next_read_chk("__read_chk", ::__read_chk);
constinit NextFunction next_readv("readv", ::readv);
constinit NextFunction next_write("write", ::write);
constinit NextFunction next_writev("writev", ::writev);
constinit NextFunction next_open("open", ::open);
constinit NextFunction next_open_2("__open_2", ::__open_2);
constinit NextFunction next_openat("openat", ::openat);
constinit NextFunction next_openat_2("__openat_2", ::__openat_2);
constinit NextFunction next_creat("creat", ::creat);
constinit NextFunction next_splice("splice", ::splice);
constinit NextFunction next_sendfile("sendfile", ::sendfile);
constinit NextFunction next_flock("flock", ::flock);
constinit NextFunction next_lockf("lockf", ::lockf);
constinit NextFunction next_fcntl("fcntl", ::fcntl);

struct Source {
  int fd;
};
struct Path {
  int folder;
  const char* path;
};

// To read it. The log of the kernel waits, although it looks like /dev/null (/dev/kmsg) or a file on a disk (/proc/kmsg).
bool never_waits(const Source& from) noexcept {
  if (!never_waits(from.fd)) return false;
  const int error = errno;
  pollfd one{from.fd, POLLIN, 0};
  const bool is_ready = runtime::own::poll(&one, 1, 0) != 0;
  const bool waits = !is_ready && (runtime::own::fcntl(from.fd, F_GETFL, nullptr) & O_NONBLOCK) == 0;
  errno = error;
  return !waits;
}

// To open it. A FIFO waits for another program; a terminal and other devices may wait, too. What is not there does not.
bool never_waits(const Path& file) noexcept {
  const int error = errno;
  struct stat found {};
  const bool is_there = ::fstatat(file.folder, file.path, &found, 0) == 0;
  errno = error;
  return !is_there || never_waits(found);
}

// As `stoppable`; but where calls on the descriptor, or the path, never wait, a call that was stopped is made.
template <class File, class Call, class Next, class... Arguments>
[[gnu::always_inline]] inline auto unless_at_once(const File& file, Call* call, NextFunction<Next>& next,
                                                  Arguments... arguments) {
  if (!ForeignCall::can_be_stopped()) [[likely]]
    return next(arguments...);
  const auto result = call(arguments...);
  return was_stopped(result) && never_waits(file) ? next(arguments...) : result;
}

bool has_mode(int flags) noexcept { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }
mode_t mode_of(int flags, va_list arguments) noexcept {
  return has_mode(flags) ? va_arg(arguments, mode_t) : mode_t{0};
}
}  // namespace

void find_functions_of_files() noexcept {
  find_all(next_read, next_read_chk, next_readv, next_write, next_writev, next_open, next_open_2, next_openat,
           next_openat_2, next_creat, next_splice, next_sendfile, next_flock, next_lockf, next_fcntl);
}

// --- Reading and writing ---

TG_INTERPOSED ssize_t read(int fd, void* buffer, std::size_t bytes) {
  return unless_at_once(Source{fd}, posix::read, next_read, fd, buffer, bytes);
}

TG_INTERPOSED ssize_t __read_chk(int fd, void* buffer, std::size_t bytes, std::size_t room) {
  return bytes > room ? next_read_chk(fd, buffer, bytes, room) : interpose::read(fd, buffer, bytes);
}

TG_INTERPOSED ssize_t readv(int fd, const iovec* parts, int count) {
  return unless_at_once(Source{fd}, posix::readv, next_readv, fd, parts, count);
}

// Output that need not wait is written: the standard output is shared with all other tasks, and a stream that has failed once
// writes no more.
TG_INTERPOSED ssize_t write(int fd, const void* data, std::size_t bytes) {
  const ssize_t result = unless_at_once(fd, posix::write, next_write, fd, data, bytes);
  if (!was_stopped(result)) [[likely]]
    return result;
  const iovec whole{const_cast<void*>(data), bytes};
  return write_at_once(fd, &whole, 1);
}

TG_INTERPOSED ssize_t writev(int fd, const iovec* parts, int count) {
  const ssize_t result = unless_at_once(fd, posix::writev, next_writev, fd, parts, count);
  return was_stopped(result) ? write_at_once(fd, parts, count) : result;
}

TG_INTERPOSED ssize_t splice(int from, off64_t* from_offset, int to, off64_t* to_offset, std::size_t bytes,
                             unsigned flags) {
  return stoppable(posix::splice, next_splice, from, from_offset, to, to_offset, bytes, flags);
}

TG_INTERPOSED ssize_t sendfile(int to, int from, off_t* offset, std::size_t bytes) noexcept {
  return unless_at_once(to, posix::sendfile, next_sendfile, to, from, offset, bytes);
}
TG_INTERPOSED ssize_t sendfile64(int, int, off64_t*, std::size_t) noexcept
    __attribute__((alias("sendfile"), visibility("default")));

// --- Opening ---

TG_INTERPOSED int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return unless_at_once(Path{AT_FDCWD, path}, posix::open, next_open, path, flags, mode);
}
TG_INTERPOSED int open64(const char*, int, ...) __attribute__((alias("open"), visibility("default")));

TG_INTERPOSED int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return unless_at_once(Path{folder, path}, posix::openat, next_openat, folder, path, flags, mode);
}
TG_INTERPOSED int openat64(int, const char*, int, ...)
    __attribute__((alias("openat"), visibility("default")));

TG_INTERPOSED int creat(const char* path, mode_t mode) {
  if (!ForeignCall::can_be_stopped()) [[likely]]
    return next_creat(path, mode);
  return interpose::open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
TG_INTERPOSED int creat64(const char*, mode_t) __attribute__((alias("creat"), visibility("default")));

// The C library ends the program if the flags need a mode.
TG_INTERPOSED int __open_2(const char* path, int flags) {
  return ForeignCall::can_be_stopped() && !has_mode(flags) ? interpose::open(path, flags)
                                                           : next_open_2(path, flags);
}
TG_INTERPOSED int __open64_2(const char*, int) __attribute__((alias("__open_2"), visibility("default")));

TG_INTERPOSED int __openat_2(int folder, const char* path, int flags) {
  return ForeignCall::can_be_stopped() && !has_mode(flags) ? interpose::openat(folder, path, flags)
                                                           : next_openat_2(folder, path, flags);
}
TG_INTERPOSED int __openat64_2(int, const char*, int)
    __attribute__((alias("__openat_2"), visibility("default")));

// --- Locks ---

TG_INTERPOSED int flock(int fd, int operation) noexcept {
  return stoppable(posix::flock, next_flock, fd, operation);
}

TG_INTERPOSED int lockf(int fd, int command, off_t bytes) {
  if (command != F_LOCK || !ForeignCall::can_be_stopped()) return next_lockf(fd, command, bytes);
  struct flock lock {};  // from the position of the file, as the C library does
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_CUR;
  lock.l_len = bytes;
  return posix::fcntl(fd, F_SETLKW, &lock);
}
TG_INTERPOSED int lockf64(int, int, off64_t) __attribute__((alias("lockf"), visibility("default")));

TG_INTERPOSED int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);  // as the C library takes it, also where there is none
  va_end(arguments);
  const bool may_wait = command == F_SETLKW || command == F_OFD_SETLKW;
  return may_wait && ForeignCall::can_be_stopped()
             ? posix::fcntl(fd, command, static_cast<struct flock*>(argument))
             : next_fcntl(fd, command, argument);
}
TG_INTERPOSED int fcntl64(int, int, ...) __attribute__((alias("fcntl"), visibility("default")));

}  // namespace tg::inline v0::interpose

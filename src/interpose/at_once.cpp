// SPDX-License-Identifier: Apache-2.0
// Only stopped callers come here, so it may cost some calls.
#include "interpose/at_once.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstddef>
#include <string>

#include "runtime/own_calls.hpp"

namespace tg::inline v0::interpose {

namespace {
constexpr unsigned kMemoryDevices = 1;  // their major number: /dev/null, /dev/urandom

ssize_t refuse() noexcept {
  errno = ECANCELED;
  return -1;
}

// Terminals and counters (eventfd) have no calls that do not block, so they are polled first. If a terminal is halted at that moment,
// or another writer is faster, the call waits, as it would without a stop.
ssize_t write_if_writable(int fd, const iovec* parts, int count) noexcept {
  if (parts == nullptr || count < 0) return ::syscall(SYS_writev, fd, parts, count);  // the kernel rejects it
  pollfd one{fd, POLLOUT, 0};
  if (runtime::own::poll(&one, 1, 0) <= 0) return refuse();
  const iovec* const first =
      std::find_if(parts, parts + count, [](const iovec& part) { return part.iov_len > 0; });
  if (first == parts + count) return 0;
  return runtime::own::write(fd, first->iov_base, std::min<std::size_t>(first->iov_len, PIPE_BUF));
}

bool is_open(int fd) noexcept { return runtime::own::fcntl(fd, F_GETFD, nullptr) >= 0; }

// The same pipe, opened anew for a write that does not block. The descriptor stays as it is, because other processes share its flags.
// -1 if the pipe belongs to another user, for example, or there is no /proc; and if a standard descriptor is closed: the copy would
// get its number, and what other threads print would go into the pipe.
int nonblocking_copy(int pipe) noexcept {
  if (!is_open(STDIN_FILENO) || !is_open(STDOUT_FILENO) || !is_open(STDERR_FILENO)) return -1;
  // Not /proc/self, which has the descriptors of the main thread: it may have ended, or this thread may have its own.
  std::array<char, 32> path{"/proc/thread-self/fd/"};
  const std::size_t begin = std::char_traits<char>::length(path.data());
  *std::to_chars(path.data() + begin, path.data() + path.size() - 1, pipe).ptr = '\0';
  const int copy = runtime::own::open(path.data(), O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0);
  // In a pipe of packets each write is one.
  if (copy >= 0 && (runtime::own::fcntl(pipe, F_GETFL, nullptr) & O_DIRECT) != 0)
    ::syscall(SYS_fcntl, copy, F_SETFL, O_NONBLOCK | O_DIRECT);
  return copy;
}

ssize_t write_to_pipe(int fd, const iovec* parts, int count) noexcept {
  const int copy = nonblocking_copy(fd);
  if (copy < 0) return write_if_writable(fd, parts, count);
  const ssize_t written = ::syscall(SYS_writev, copy, parts, count);
  const int error = errno;
  ::close(copy);
  errno = error;
  return written < 0 && error == EAGAIN ? refuse() : written;
}
}  // namespace

bool never_waits(const struct stat& file) noexcept {
  return S_ISREG(file.st_mode) || S_ISBLK(file.st_mode) || S_ISDIR(file.st_mode) ||
         (S_ISCHR(file.st_mode) && major(file.st_rdev) == kMemoryDevices);
}

bool never_waits(int fd) noexcept {
  const int error = errno;
  struct stat found {};
  const int flags = runtime::own::fcntl(fd, F_GETFL, nullptr);
  const bool never = flags < 0 || ::fstat(fd, &found) != 0 || never_waits(found) ||
                     ((flags & O_NONBLOCK) != 0 && !S_ISSOCK(found.st_mode));
  errno = error;
  return never;
}

ssize_t write_at_once(int fd, const iovec* parts, int count) noexcept {
  struct stat found {};
  const bool is_known = ::fstat(fd, &found) == 0;
  if (fd != STDOUT_FILENO && fd != STDERR_FILENO && is_known && S_ISSOCK(found.st_mode)) return refuse();
  constexpr long kHere = -1;  // the file's own position
  const ssize_t written = ::syscall(SYS_pwritev2, fd, parts, count, kHere, kHere, RWF_NOWAIT);
  if (written >= 0) return written;
  if (errno == EAGAIN) return refuse();
  if (errno != EOPNOTSUPP && errno != ENOSYS) return -1;
  // Pipes have RWF_NOWAIT since Linux 6.4.
  return is_known && S_ISFIFO(found.st_mode) ? write_to_pipe(fd, parts, count)
                                             : write_if_writable(fd, parts, count);
}

}  // namespace tg::inline v0::interpose

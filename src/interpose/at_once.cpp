// SPDX-License-Identifier: Apache-2.0
// Only stopped callers come here, so it may cost some calls.
#include "interpose/at_once.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstddef>

#include "runtime/own_calls.hpp"

namespace tg::inline v0::interpose {

namespace {
constexpr unsigned kMemoryDevices = 1;  // their major number: /dev/null, /dev/urandom

// Terminals and counters (eventfd) have no calls that do not block, so they are asked first. Another writer may then be faster
// on a pipe of an old kernel, or a terminal may be halted: such a call waits, as it would without a stop.
ssize_t write_if_writable(int fd, const iovec* parts, int count) noexcept {
  pollfd one{fd, POLLOUT, 0};
  if (runtime::own::poll(&one, 1, 0) <= 0) {
    errno = ECANCELED;
    return -1;
  }
  const iovec* const first =
      std::find_if(parts, parts + count, [](const iovec& part) { return part.iov_len > 0; });
  if (first == parts + count) return 0;
  return runtime::own::write(fd, first->iov_base, std::min<std::size_t>(first->iov_len, PIPE_BUF));
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
  if (fd != STDOUT_FILENO && fd != STDERR_FILENO && ::fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode)) {
    errno = ECANCELED;
    return -1;
  }
  constexpr long kHere = -1;  // the file's own position
  const ssize_t written = ::syscall(SYS_pwritev2, fd, parts, count, kHere, kHere, RWF_NOWAIT);
  if (written >= 0) return written;
  if (errno == EOPNOTSUPP || errno == ENOSYS) return write_if_writable(fd, parts, count);
  if (errno == EAGAIN) errno = ECANCELED;
  return -1;
}

}  // namespace tg::inline v0::interpose

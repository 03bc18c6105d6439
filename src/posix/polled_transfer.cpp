// SPDX-License-Identifier: Apache-2.0
// Tries that do not block, and waits between them.
#include "posix/polled_transfer.hpp"

#include "runtime/processor.hpp"

#if !TG_STOPPABLE_CALLS
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <climits>
#include <utility>

#include "runtime/stoppable_call.hpp"

namespace tg::inline v0::detail::polled {

namespace {

// Such as counters (eventfd), timers and signalfd, which the kernel gives no type of file.
bool has_no_type(const struct stat& file) noexcept { return (file.st_mode & S_IFMT) == 0; }
bool has_no_type(int fd) noexcept {
  struct stat about {};
  return ::fstat(fd, &about) == 0 && has_no_type(about);
}

// Files on disks and folders are always ready, and the kernel refuses to read those without blocking.
bool may_be_polled(int fd) noexcept {
  struct stat about {};
  return ::fstat(fd, &about) == 0 &&
         (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode) || S_ISCHR(about.st_mode) || has_no_type(about));
}

constexpr long kCannotTry = -ENOTSUP;  // a descriptor that the kernel cannot try, such as a terminal

constexpr long kDoesNotWait = 0x8;  // RWF_NOWAIT, which some headers lack

// One try that does not block.
long try_to_move(long number, int fd, msghdr& message, int flags) noexcept {
  const bool writes =
      number == SYS_write || number == SYS_writev || number == SYS_sendto || number == SYS_sendmsg;
  const ssize_t moved =
      writes ? ::sendmsg(fd, &message, flags | MSG_DONTWAIT) : ::recvmsg(fd, &message, flags | MSG_DONTWAIT);
  if (moved >= 0) return moved;
  const bool is_for_sockets =
      number == SYS_sendto || number == SYS_sendmsg || number == SYS_recvfrom || number == SYS_recvmsg;
  if (errno != ENOTSOCK || is_for_sockets) return -errno;
  const long parts = runtime::to_argument(message.msg_iov);
  const auto count = static_cast<long>(message.msg_iovlen);
  const long result = plain(writes ? SYS_pwritev2 : SYS_preadv2, {fd, parts, count, -1, -1, kDoesNotWait});
  // Too little room for a counter, say. (Kernels before 4.14 do not know the flag.)
  if (result == -EINVAL && has_no_type(fd)) return plain(writes ? SYS_writev : SYS_readv, {fd, parts, count});
  return result == -ENOSYS || result == -EINVAL ? kCannotTry : result;
}

class Parts {
 public:
  Parts(const iovec* parts, std::size_t count) : parts_(parts, parts + count) {}
  std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (const iovec& part : parts_) sum += part.iov_len;
    return sum;
  }
  void drop(std::size_t bytes) noexcept {
    for (iovec& part : parts_) {
      const std::size_t dropped = std::min(bytes, part.iov_len);
      part.iov_base = static_cast<std::byte*>(part.iov_base) + dropped;
      part.iov_len -= dropped;
      bytes -= dropped;
    }
  }
  msghdr message() noexcept {
    msghdr message{};
    message.msg_iov = parts_.data();
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(parts_.size());
    return message;
  }
  iovec first() const noexcept {
    for (const iovec& part : parts_)
      if (part.iov_len > 0) return part;
    return {};
  }

 private:
  std::vector<iovec> parts_;
};

long receive(const Poll& poll, int fd, msghdr& message, int flags, long number, const Arguments& a) {
  if ((flags & MSG_ERRQUEUE) != 0) flags |= MSG_DONTWAIT;  // as the kernel does
  const Limit limit = limit_of(fd, SO_RCVTIMEO);
  bool can_try = (flags & MSG_WAITALL) == 0;
  for (;;) {
    if (can_try) {
      const long got = try_to_move(number, fd, message, flags);
      can_try = got != kCannotTry;
      if (can_try && (got != -EAGAIN || (flags & MSG_DONTWAIT) != 0)) return got;
    }
    if (is_nonblocking(fd)) return can_try ? -EAGAIN : plain(number, a);
    if (const long error = poll.wait(fd, POLLIN, limit); error != 0) return error;
    if (!can_try) return plain(number, a);
  }
}

// All of it, as a blocking call does; or what was sent before the stop.
long send(const Poll& poll, int fd, Parts parts, msghdr message, int flags, long number, const Arguments& a) {
  const Limit limit = limit_of(fd, SO_SNDTIMEO);
  long sent = 0;
  for (;;) {
    message.msg_iov = parts.message().msg_iov;
    // A blocking call raises SIGPIPE only if it has sent nothing.
    long now = try_to_move(number, fd, message, sent > 0 ? flags | MSG_NOSIGNAL : flags);
    if (now == kCannotTry || now == -EAGAIN) {
      const bool can_try = now == -EAGAIN;
      if ((flags & MSG_DONTWAIT) != 0 || is_nonblocking(fd))
        return sent > 0 ? sent : can_try ? -EAGAIN : plain(number, a);
      if (const long error = poll.wait(fd, POLLOUT, limit); error != 0) return sent > 0 ? sent : error;
      if (can_try) continue;
      if (has_no_type(fd)) return plain(number, a);  // a counter, which takes one number
      // A descriptor that is ready takes PIPE_BUF bytes without blocking.
      const iovec part = parts.first();
      now = plain(SYS_write, {fd, runtime::to_argument(part.iov_base),
                              static_cast<long>(std::min<std::size_t>(part.iov_len, PIPE_BUF))});
    }
    if (now < 0) return sent > 0 ? sent : now;
    sent += now;
    parts.drop(static_cast<std::size_t>(now));
    if (now == 0 || parts.bytes() == 0) return sent;
    message.msg_control = nullptr;  // went with the first part
    message.msg_controllen = 0;
  }
}

}  // namespace

long read_or_write(const Poll& poll, long number, const Arguments& a) {
  const int fd = number_of(a[0]);
  const bool is_one_part = number == SYS_read || number == SYS_write;
  const iovec one{pointer<void>(a[1]), static_cast<std::size_t>(a[2])};
  const bool is_valid = is_one_part || (a[1] != 0 && a[2] > 0 && a[2] <= IOV_MAX);
  if (!is_valid || !may_be_polled(fd)) return plain(number, a);
  Parts parts =
      is_one_part ? Parts(&one, 1) : Parts(pointer<const iovec>(a[1]), static_cast<std::size_t>(a[2]));
  if (parts.bytes() == 0) return plain(number, a);
  msghdr message = parts.message();
  if (number == SYS_read || number == SYS_readv) return receive(poll, fd, message, 0, number, a);
  return send(poll, fd, std::move(parts), message, 0, number, a);
}

long receive_from(const Poll& poll, long number, const Arguments& a) {
  const int fd = number_of(a[0]);
  if (number == SYS_recvmsg && a[1] == 0) return plain(number, a);
  if (number == SYS_recvmsg) return receive(poll, fd, *pointer<msghdr>(a[1]), number_of(a[2]), number, a);
  iovec part{pointer<void>(a[1]), static_cast<std::size_t>(a[2])};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  auto* const size = pointer<socklen_t>(a[5]);
  if (a[4] != 0 && size != nullptr) {
    message.msg_name = pointer<void>(a[4]);
    message.msg_namelen = *size;
  }
  const long got = receive(poll, fd, message, number_of(a[3]), number, a);
  if (got >= 0 && a[4] != 0 && size != nullptr) *size = message.msg_namelen;
  return got;
}

long send_to(const Poll& poll, long number, const Arguments& a) {
  const int fd = number_of(a[0]);
  if (number == SYS_sendmsg) {
    if (a[1] == 0) return plain(number, a);
    const msghdr& message = *pointer<const msghdr>(a[1]);
    if ((message.msg_iov == nullptr && message.msg_iovlen > 0) || message.msg_iovlen > IOV_MAX)
      return plain(number, a);
    return send(poll, fd, Parts(message.msg_iov, message.msg_iovlen), message, number_of(a[2]), number, a);
  }
  const iovec part{pointer<void>(a[1]), static_cast<std::size_t>(a[2])};
  Parts parts(&part, 1);
  msghdr message = parts.message();
  message.msg_name = pointer<void>(a[4]);
  message.msg_namelen = static_cast<socklen_t>(a[5]);
  return send(poll, fd, std::move(parts), message, number_of(a[3]), number, a);
}

}  // namespace tg::inline v0::detail::polled
#endif

// SPDX-License-Identifier: Apache-2.0
// Each is the call of tg::posix where a stop can end it, else the plain one.
#include "interpose/sockets.hpp"

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>

#include <threadgroup/posix.hpp>

#include "interpose/next_function.hpp"
#include "interpose/stoppable.hpp"
#include "posix/foreign_call.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): the C library's names
extern "C" {
// What <sys/socket.h> makes of the calls under _FORTIFY_SOURCE. `room` is how much memory there is.
ssize_t __recv_chk(int socket, void* buffer, std::size_t bytes, std::size_t room, int flags);
ssize_t __recvfrom_chk(int socket, void* buffer, std::size_t bytes, std::size_t room, int flags,
                       sockaddr* from, socklen_t* size);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace tg::inline v0::interpose {

namespace {
using detail::ForeignCall;

constinit NextFunction next_recv("recv", ::recv);
constinit NextFunction next_recv_chk("__recv_chk", ::__recv_chk);
constinit NextFunction next_recvfrom("recvfrom", ::recvfrom);
constinit NextFunction next_recvfrom_chk("__recvfrom_chk", ::__recvfrom_chk);
constinit NextFunction next_recvmsg("recvmsg", ::recvmsg);
constinit NextFunction next_send("send", ::send);
constinit NextFunction next_sendto("sendto", ::sendto);
constinit NextFunction next_sendmsg("sendmsg", ::sendmsg);
constinit NextFunction next_accept("accept", ::accept);
constinit NextFunction next_accept4("accept4", ::accept4);
constinit NextFunction next_connect("connect", ::connect);
}  // namespace

void find_functions_of_sockets() noexcept {
  find_all(next_recv, next_recv_chk, next_recvfrom, next_recvfrom_chk, next_recvmsg, next_send, next_sendto,
           next_sendmsg, next_accept, next_accept4, next_connect);
}

TG_INTERPOSED ssize_t recv(int socket, void* buffer, std::size_t bytes, int flags) {
  return stoppable(posix::recv, next_recv, socket, buffer, bytes, flags);
}

TG_INTERPOSED ssize_t __recv_chk(int socket, void* buffer, std::size_t bytes, std::size_t room, int flags) {
  return bytes <= room && ForeignCall::can_be_stopped() ? posix::recv(socket, buffer, bytes, flags)
                                                        : next_recv_chk(socket, buffer, bytes, room, flags);
}

TG_INTERPOSED ssize_t recvfrom(int socket, void* buffer, std::size_t bytes, int flags, sockaddr* from,
                               socklen_t* size) {
  return stoppable(posix::recvfrom, next_recvfrom, socket, buffer, bytes, flags, from, size);
}

TG_INTERPOSED ssize_t __recvfrom_chk(int socket, void* buffer, std::size_t bytes, std::size_t room, int flags,
                                     sockaddr* from, socklen_t* size) {
  return bytes <= room && ForeignCall::can_be_stopped()
             ? posix::recvfrom(socket, buffer, bytes, flags, from, size)
             : next_recvfrom_chk(socket, buffer, bytes, room, flags, from, size);
}

TG_INTERPOSED ssize_t recvmsg(int socket, msghdr* message, int flags) {
  return stoppable(posix::recvmsg, next_recvmsg, socket, message, flags);
}

TG_INTERPOSED ssize_t send(int socket, const void* data, std::size_t bytes, int flags) {
  return stoppable(posix::send, next_send, socket, data, bytes, flags);
}

TG_INTERPOSED ssize_t sendto(int socket, const void* data, std::size_t bytes, int flags, const sockaddr* to,
                             socklen_t size) {
  return stoppable(posix::sendto, next_sendto, socket, data, bytes, flags, to, size);
}

TG_INTERPOSED ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  return stoppable(posix::sendmsg, next_sendmsg, socket, message, flags);
}

TG_INTERPOSED int accept(int socket, sockaddr* peer, socklen_t* size) {
  return stoppable(posix::accept, next_accept, socket, peer, size);
}

TG_INTERPOSED int accept4(int socket, sockaddr* peer, socklen_t* size, int flags) {
  return stoppable(posix::accept4, next_accept4, socket, peer, size, flags);
}

TG_INTERPOSED int connect(int socket, const sockaddr* peer, socklen_t size) {
  return stoppable(posix::connect, next_connect, socket, peer, size);
}

}  // namespace tg::inline v0::interpose

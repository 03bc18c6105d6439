// SPDX-License-Identifier: Apache-2.0
// Host names to addresses, in a lookup that a stop ends.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <threadgroup/detail/config.hpp>
#include <threadgroup/detail/export.hpp>

namespace tg {
inline namespace v0 {

/// The address of a socket, as a value.
///
///     for (const tg::Address& address : tg::resolve("example.org", "https")) {
///       const int fd = ::socket(address.family(), address.type(), address.protocol());
///       if (tg::posix::connect(fd, address.data(), address.size()) == 0) return fd;
///       ::close(fd);
///     }
///
/// Thread safety: distinct objects are independent.
class TG_EXPORT Address {
 public:
  /// No address: of family `AF_UNSPEC` and size 0.
  Address() = default;
  /// A copy of these bytes. Throws `std::invalid_argument` if there are more than a `sockaddr_storage` holds.
  Address(const sockaddr* address, socklen_t size, int type = SOCK_STREAM, int protocol = 0);

  /// `AF_INET`, `AF_INET6`
  int family() const noexcept { return storage_.ss_family; }
  /// `SOCK_STREAM`, `SOCK_DGRAM`
  int type() const noexcept { return type_; }
  /// `IPPROTO_TCP`; 0: the usual one for the type
  int protocol() const noexcept { return protocol_; }
  /// For `connect`, `bind` and the like, together with `size`.
  const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  /// The number of bytes.
  socklen_t size() const noexcept { return size_; }
  /// The port; 0 if the address has none.
  std::uint16_t port() const noexcept;
  /// "192.0.2.7:443", "[2001:db8::7]:443".
  std::string str() const;

  /// Whether all bytes, type and protocol are the same.
  friend bool operator==(const Address& a, const Address& b) noexcept { return a.is_same(b); }

 private:
  bool is_same(const Address& other) const noexcept;

  sockaddr_storage storage_{};
  socklen_t size_ = 0;
  int type_ = SOCK_STREAM;
  int protocol_ = 0;
};

/// A host or service could not be resolved. The text names both, and says what the resolver said.
class TG_EXPORT ResolveError : public std::runtime_error {
 public:
  /// `why` is the resolver's text.
  ResolveError(std::string host, std::string service, const std::string& why, bool is_temporary);
  /// The host that was asked for.
  const std::string& host() const noexcept { return host_; }
  /// The service that was asked for.
  const std::string& service() const noexcept { return service_; }
  /// Whether a later attempt may succeed: no name server has answered, or it has failed.
  bool is_temporary() const noexcept { return is_temporary_; }

 private:
  std::string host_;
  std::string service_;
  bool is_temporary_;
};

/// What `resolve` looks for.
struct ResolveOptions {
  int family = AF_UNSPEC;  ///< `AF_INET` or `AF_INET6` for addresses of that family only
  int type = SOCK_STREAM;  ///< the type of the socket; the port of a service may depend on it
  bool is_passive =
      false;  ///< without a host: the address of all interfaces, for `bind`, and not that of loopback
};

/// The addresses of a host, in the order in which they are to be tried. `host` is a name, an address such as
/// "192.0.2.7" or "::1", or empty for this machine; `service` a name such as "https", a port number, or
/// empty for port 0.
///
/// A stop ends the lookup at once, by the exception `Stopped`; a deadline is a `StopScope`. Where the library was
/// built with c-ares, nothing is left behind. Otherwise the lookup is the system's `getaddrinfo` in a call of
/// `abandonable`, which goes on until the system gives up. An address with a port number needs no lookup.
///
/// Throws `ResolveError` if there is no such host or service, or if no name server answers; `Stopped`;
/// `std::invalid_argument` if one of the two contains a NUL character; what `abandonable` throws; and `std::logic_error` in a simulated program.
TG_EXPORT std::vector<Address> resolve(const std::string& host, const std::string& service,
                                       const ResolveOptions& options = {});

}  // namespace v0
}  // namespace tg

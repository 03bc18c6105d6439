// SPDX-License-Identifier: Apache-2.0
// Addresses as values, and which resolver is asked.
#include <threadgroup/resolve.hpp>

#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <utility>

#include "posix/system_lookup.hpp"
#include "runtime/engine.hpp"

#if TG_USE_CARES
#include "posix/ares_lookup.hpp"
#endif

namespace tg::inline v0 {

Address::Address(const sockaddr* address, socklen_t size, int type, int protocol)
    : size_(size), type_(type), protocol_(protocol) {
  if (size > sizeof storage_) {
    throw std::invalid_argument("tg::Address: " + std::to_string(size) + " bytes; the most are " +
                                std::to_string(sizeof storage_));
  }
  if (size != 0) std::memcpy(&storage_, address, size);
}

std::uint16_t Address::port() const noexcept {
  in_port_t port = 0;
  if (family() == AF_INET)
    std::memcpy(&port, reinterpret_cast<const char*>(&storage_) + offsetof(sockaddr_in, sin_port),
                sizeof port);
  if (family() == AF_INET6)
    std::memcpy(&port, reinterpret_cast<const char*>(&storage_) + offsetof(sockaddr_in6, sin6_port),
                sizeof port);
  return ntohs(port);
}

std::string Address::str() const {
  char host[NI_MAXHOST];
  char service[NI_MAXSERV];
  const bool is_internet = family() == AF_INET || family() == AF_INET6;
  if (!is_internet || ::getnameinfo(data(), size_, host, sizeof host, service, sizeof service,
                                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "address of family " + std::to_string(family());
  }
  const std::string text = host;
  return (family() == AF_INET6 ? '[' + text + ']' : text) + ':' + service;
}

bool Address::is_same(const Address& other) const noexcept {
  return size_ == other.size_ && type_ == other.type_ && protocol_ == other.protocol_ &&
         std::memcmp(&storage_, &other.storage_, size_) == 0;
}

ResolveError::ResolveError(std::string host, std::string service, const std::string& why, bool is_temporary)
    : std::runtime_error("cannot resolve host '" + host + "', service '" + service + "': " + why),
      host_(std::move(host)),
      service_(std::move(service)),
      is_temporary_(is_temporary) {}

namespace {
// The functions of C end a name there, so that another host than the one of the caller's checks would be asked for.
void refuse_nul(const std::string& what, const std::string& text) {
  const std::size_t at = text.find('\0');
  if (at == std::string::npos) return;
  throw std::invalid_argument("tg::resolve: the " + what + " '" + text.substr(0, at) +
                              "' has a NUL character after " + std::to_string(at) + " characters");
}
}  // namespace

std::vector<Address> resolve(const std::string& host, const std::string& service,
                             const ResolveOptions& options) {
  runtime::refuse_real_io("tg::resolve");
  refuse_nul("host", host);
  refuse_nul("service", service);
  if (auto addresses = detail::addresses_of_numbers(host, service, options)) return *std::move(addresses);
#if TG_USE_CARES
  // c-ares knows neither the zones of addresses nor other families.
  const bool is_internet =
      options.family == AF_UNSPEC || options.family == AF_INET || options.family == AF_INET6;
  if (!host.empty() && is_internet && !detail::is_number(host, options))
    return detail::look_up_by_ares(host, service, options);
#endif
  return detail::look_up_by_system(host, service, options);
}

}  // namespace tg::inline v0

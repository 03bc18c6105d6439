// SPDX-License-Identifier: Apache-2.0
// `getaddrinfo`, which no stop ends.
#include "posix/system_lookup.hpp"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include <threadgroup/abandonable.hpp>

namespace tg::inline v0::detail {

namespace {

// What `getaddrinfo` returned, and its addresses.
struct Found {
  int status = 0;
  int error = 0;  // of the system, if the status is EAI_SYSTEM
  std::vector<Address> addresses;
};

Found ask_system(const std::string& host, const std::string& service, const ResolveOptions& options,
                 int flags) {
  addrinfo hints{};
  hints.ai_family = options.family;
  hints.ai_socktype = options.type;
  hints.ai_flags = flags | (options.is_passive ? AI_PASSIVE : 0);
  addrinfo* first = nullptr;
  Found found;
  found.status = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                               service.empty() ? nullptr : service.c_str(), &hints, &first);
  found.error = errno;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(first, &::freeaddrinfo);
  for (const addrinfo* one = first; one != nullptr; one = one->ai_next)
    found.addresses.emplace_back(one->ai_addr, one->ai_addrlen, one->ai_socktype, one->ai_protocol);
  return found;
}

}  // namespace

std::vector<Address> look_up_by_system(const std::string& host, const std::string& service,
                                       const ResolveOptions& options) {
  const Found found = abandonable(TaskName("getaddrinfo of " + host), &ask_system, host, service, options, 0);
  if (found.status == 0) return found.addresses;
  const bool is_of_system = found.status == EAI_SYSTEM;
  throw ResolveError(
      host, service,
      is_of_system ? std::generic_category().message(found.error) : ::gai_strerror(found.status),
      is_of_system || found.status == EAI_AGAIN);
}

std::optional<std::vector<Address>> addresses_of_numbers(const std::string& host, const std::string& service,
                                                         const ResolveOptions& options) {
  if (host.empty() && service.empty()) return std::nullopt;  // an error, which a lookup reports
  const Found found = ask_system(host, service, options, AI_NUMERICHOST | AI_NUMERICSERV);
  if (found.status != 0) return std::nullopt;
  return found.addresses;
}

}  // namespace tg::inline v0::detail

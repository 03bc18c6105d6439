// SPDX-License-Identifier: Apache-2.0
// Lookups of names by the system's `getaddrinfo`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <threadgroup/resolve.hpp>

namespace tg::inline v0::detail {

/// On a thread that is left behind if the caller is stopped.
std::vector<Address> look_up_by_system(const std::string& host, const std::string& service,
                                       const ResolveOptions& options);

/// The port of the service for each type of socket, as addresses of this machine, of one family: from the system's
/// table of services, without a question to a name server.
std::vector<Address> ports_of_service(const std::string& host, const std::string& service,
                                      const ResolveOptions& options);

/// Whether it is an address, perhaps with a zone: "fe80::1%eth0".
bool is_number(const std::string& host, const ResolveOptions& options);

/// The addresses, if `host` is a numeric address or empty and `service` a port number or empty. `nullopt` if a lookup is
/// needed.
std::optional<std::vector<Address>> addresses_of_numbers(const std::string& host, const std::string& service,
                                                         const ResolveOptions& options);

}  // namespace tg::inline v0::detail

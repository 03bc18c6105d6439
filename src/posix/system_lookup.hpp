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

/// The addresses, if `host` is a numeric address or empty and `service` a port number or empty. `nullopt` if a lookup is
/// needed.
std::optional<std::vector<Address>> addresses_of_numbers(const std::string& host, const std::string& service,
                                                         const ResolveOptions& options);

}  // namespace tg::inline v0::detail

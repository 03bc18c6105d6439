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

/// Without a question to a name server: an address, or this machine, and a port number. Nothing if it takes one.
std::optional<std::vector<Address>> addresses_of_numbers(const std::string& host, const std::string& service,
                                                         const ResolveOptions& options);

}  // namespace tg::inline v0::detail

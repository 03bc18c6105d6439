// SPDX-License-Identifier: Apache-2.0
// Lookups of names by c-ares, in builds that have it.
#pragma once

#include <string>
#include <vector>

#include <threadgroup/resolve.hpp>

namespace tg::inline v0::detail {

/// On the calling thread, in one poll of the sockets of c-ares and the descriptor of the caller's stop. So
/// nothing is left behind. `servers` is for tests, "127.0.0.1:5353"; empty: those of the system.
std::vector<Address> look_up_by_ares(const std::string& host, const std::string& service,
                                     const ResolveOptions& options, const std::string& servers = {});

}  // namespace tg::inline v0::detail

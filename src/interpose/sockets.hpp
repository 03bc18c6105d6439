// SPDX-License-Identifier: Apache-2.0
// Sockets.
#pragma once

namespace tg::inline v0::interpose {

/// Finds what the functions of `sockets.cpp` replace.
void find_functions_of_sockets() noexcept;

}  // namespace tg::inline v0::interpose

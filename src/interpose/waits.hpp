// SPDX-License-Identifier: Apache-2.0
// Waiting for descriptors, processes and signals.
#pragma once

namespace tg::inline v0::interpose {

/// Finds what the functions of `waits.cpp` replace.
void find_functions_of_waits() noexcept;

}  // namespace tg::inline v0::interpose

// SPDX-License-Identifier: Apache-2.0
// Waiting for signals, and the masks of threads.
#pragma once

namespace tg::inline v0::interpose {

/// Finds what the functions of `signals.cpp` replace.
void find_functions_of_signals() noexcept;

}  // namespace tg::inline v0::interpose

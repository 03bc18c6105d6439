// SPDX-License-Identifier: Apache-2.0
// Sleeping.
#pragma once

namespace tg::inline v0::interpose {

/// Finds what the functions of `sleeps.cpp` replace.
void find_functions_of_sleeps() noexcept;

}  // namespace tg::inline v0::interpose

// SPDX-License-Identifier: Apache-2.0
// Files and pipes.
#pragma once

namespace tg::inline v0::interpose {

/// Finds what the functions of `files.cpp` replace.
void find_functions_of_files() noexcept;

}  // namespace tg::inline v0::interpose

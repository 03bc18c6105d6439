// SPDX-License-Identifier: Apache-2.0
// The executable or shared object that the library is part of.
#pragma once

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::runtime {

/// Keeps that shared object in memory until the process ends, even after `dlclose`: idle threads, the ends of
/// other threads and the exit of the process still run its code. Does nothing for an executable.
void keep_module_mapped() noexcept;

}  // namespace tg::inline v0::runtime

// SPDX-License-Identifier: Apache-2.0
// The executable or shared object that the library is part of.
#pragma once

namespace tg::runtime {

/// Has that shared object stay in memory until the process ends, whatever `dlclose` is called with. Idle
/// threads, the ends of other threads and the exit of the process still run its code. Nothing for an
/// executable.
void keep_module_mapped() noexcept;

}  // namespace tg::runtime

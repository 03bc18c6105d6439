// SPDX-License-Identifier: Apache-2.0
// Whether the library keeps blocks in this build.
#pragma once

#include "base/sanitizers.hpp"

namespace tg::test {

/// Under a sanitizer each block comes from the heap.
inline constexpr bool kBlocksAreKept = !TG_ADDRESS_SANITIZER && !TG_THREAD_SANITIZER && !TG_MEMORY_SANITIZER;

}  // namespace tg::test

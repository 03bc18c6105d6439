// SPDX-License-Identifier: Apache-2.0
// What processors pass to one another at a time.
#pragma once

#include <cstddef>

namespace tg::detail {

/// In bytes. A constant of our own, for the standard's changes with the compiler's options, and with it would
/// the layout of what two libraries share.
constexpr std::size_t kCacheLine = 64;

}  // namespace tg::detail

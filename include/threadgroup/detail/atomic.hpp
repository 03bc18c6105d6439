// SPDX-License-Identifier: Apache-2.0
// The atomics of the library, so that a build for explorations can watch each access.
#pragma once

#include <atomic>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

/// `std::atomic`, by the name under which the library's protocols use it.
template <class T>
using Atomic = std::atomic<T>;

}  // namespace tg::inline v0::detail

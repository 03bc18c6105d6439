// SPDX-License-Identifier: Apache-2.0
// A global object that exists before the program starts and is never destroyed.
#pragma once

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

/// Holds a `T` and never destroys it.
///
///     constinit Immortal<std::vector<int>> none;
///
/// Requires: it is declared `constinit`, at namespace scope. A static inside a function has a guard, and a
/// child forked while another thread held the guard would wait for it forever.
/// Lifetime: from before the first dynamic initialisation to the end of the process, so that threads and
/// other globals may use it at any time.
template <class T>
union Immortal {
  constexpr Immortal() noexcept : value() {}
  constexpr ~Immortal() {}
  T value;
};

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// A callable's capture whose destructor throws.
#pragma once

#include <stdexcept>
#include <utility>

namespace tg::test {

/// Throws when it is destroyed, unless it was moved from.
struct ThrowsWhenDestroyed {
  bool armed = true;
  ThrowsWhenDestroyed() = default;
  ThrowsWhenDestroyed(ThrowsWhenDestroyed&& other) noexcept : armed(std::exchange(other.armed, false)) {}
  ~ThrowsWhenDestroyed() noexcept(false) {
    if (armed) throw std::runtime_error("destructor");
  }
};

}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// Waiting for some nanoseconds, without sleeping.
#pragma once

#include "base/spin.hpp"
#include "runtime/engine.hpp"

namespace tg::inline v0::runtime {

/// Spins until `done()`, but for about 2 us at most. A flow of an engine lets others run once instead.
template <class Done>
void wait_briefly(Done done) noexcept {
  if constexpr (!kIsExplored) {
    if (Engine* const engine = Engine::of_caller()) [[unlikely]] {
      if (!done()) engine->yield(__builtin_return_address(0));
      return;
    }
  }
  tg::detail::spin_briefly(done);
}

}  // namespace tg::inline v0::runtime

// SPDX-License-Identifier: Apache-2.0
// splitmix64 over a counter and the time.
#include "runtime/random.hpp"

#include <threadgroup/detail/atomic.hpp>

#include "runtime/engine.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

namespace {
constinit tg::detail::Atomic<std::uint64_t> counter{0};  // atomic: any thread may need the next number
}

// The time, because the forked children of a process begin with the same counter.
std::uint64_t random_number() noexcept {
  if (Engine* const engine = Engine::of_caller()) return engine->random();
  return mix_bits(counter.fetch_add(kSplitMixStep, std::memory_order_relaxed) +
                  static_cast<std::uint64_t>(now().nanos()));
}

}  // namespace tg::inline v0::runtime

// SPDX-License-Identifier: Apache-2.0
// The mixing of splitmix64 (S. Vigna) over a counter and the time.
#include "runtime/random.hpp"

#include <threadgroup/detail/atomic.hpp>

#include "runtime/engine.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

namespace {
constinit tg::detail::Atomic<std::uint64_t> counter{0};  // atomic: any thread may need the next number
}

// The time makes a difference between several children of one process.
std::uint64_t random_number() noexcept {
  if (Engine* const engine = Engine::of_caller()) return engine->random();
  std::uint64_t z = counter.fetch_add(0x9e3779b97f4a7c15ULL, std::memory_order_relaxed) +
                    static_cast<std::uint64_t>(now().nanos());
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace tg::inline v0::runtime

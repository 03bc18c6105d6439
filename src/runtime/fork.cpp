// SPDX-License-Identifier: Apache-2.0
// Counts forks and hooks into them.
#include "runtime/fork.hpp"

#include <pthread.h>
#include <unistd.h>

#include <new>

#include <threadgroup/detail/atomic.hpp>

#include "runtime/engine.hpp"

namespace tg::inline v0::runtime {

namespace detail {
constinit std::atomic<std::uint32_t> fork_generation_counter{0};
}

namespace {
// Atomic: read by any thread, and by handlers.
constinit tg::detail::Atomic<int> own_process{0};

// The first registered child handler runs first, so every component sees the new generation already.
[[gnu::constructor(at_load::kForkCount)]] void count_forks() {
#if !defined(TG_SIMULATION)
  own_process.store(::getpid(), std::memory_order_relaxed);
#endif
  at_fork(nullptr, nullptr, [] {
#if !defined(TG_SIMULATION)
    own_process.store(::getpid(), std::memory_order_relaxed);
#endif
    detail::fork_generation_counter.fetch_add(1, std::memory_order_relaxed);
  });
}
}  // namespace

bool is_in_vfork_child() noexcept {
  const int own = own_process.load(std::memory_order_relaxed);
  return own != 0 && ::getpid() != own;  // 0: in a simulation
}

void at_fork(void (*prepare)(), void (*parent)(), void (*child)()) {
#if defined(TG_SIMULATION)
  // Each schedule begins as a forked child does: with a library that has forgotten what was.
  static_cast<void>(parent);
  if (prepare != nullptr) Engine::at_restart(prepare);
  if (child != nullptr) Engine::at_restart(child);
#else
  if (::pthread_atfork(prepare, parent, child) != 0) throw std::bad_alloc();
#endif
}

}  // namespace tg::inline v0::runtime

// SPDX-License-Identifier: Apache-2.0
// Knows whether the process was forked since an object was made.
#pragma once

#include <atomic>
#include <cstdint>

#include <threadgroup/base/mutex.hpp>

namespace tg::runtime {

namespace detail {
extern std::atomic<std::uint32_t>
    fork_generation_counter;  // atomic: read by all, written only in a fresh child
}

/// A number that is another one in a forked child. It counts the forks that the library has seen on the way
/// here.
inline std::uint32_t fork_generation() noexcept {
  return detail::fork_generation_counter.load(std::memory_order_relaxed);
}

/// Calls the three functions around every fork: the first before it, the others after it in the parent and
/// the child. A component takes its locks in the first, so that the child inherits them free and its data
/// whole.
void at_fork(void (*prepare)(), void (*parent)(), void (*child)());

struct NothingInTheChild {
  void operator()() const noexcept {}
};

/// Has the lock of a component that is never destroyed held across every fork, so that the child inherits it
/// free and what it guards whole. In the child `in_child` is called first, with the lock held.
///
///     hold_across_forks([]() -> Mutex& { return instance().mutex_; });
///
/// Both are lambdas without captures: the system's handlers take no argument.
template <class LockOf, class InChild = NothingInTheChild>
void hold_across_forks(LockOf, InChild = {}) {
  at_fork([]() TG_NO_THREAD_SAFETY_ANALYSIS { LockOf()().lock(); },  // no scope to tie it to
          []() TG_NO_THREAD_SAFETY_ANALYSIS { LockOf()().unlock(); },
          []() TG_NO_THREAD_SAFETY_ANALYSIS {
            InChild()();
            LockOf()().unlock();
          });
}

}  // namespace tg::runtime

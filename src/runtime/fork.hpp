// SPDX-License-Identifier: Apache-2.0
// What components do around a fork.
#pragma once

#include <threadgroup/detail/annotations.hpp>
#include <threadgroup/detail/fork_generation.hpp>

namespace tg::inline v0::runtime {

/// When each component registers what it does around a fork: priorities of `gnu::constructor` functions,
/// which run while the library is loaded. So no fork can come before the registration, or into the middle of
/// it. The locks of components that register later are taken earlier.
///
///     constinit Cache Cache::only_;  // a guard of a static could be inherited locked
///     [[gnu::constructor(runtime::at_load::kFlows)]] void cache_at_load() { Cache::hold_across_forks(); }
namespace at_load {
constexpr int kForkCount = 101;  // lower ones are the system's
constexpr int kHooks = 101;      // what the tree fills in, no fork handler
constexpr int kHeavyFence = 102;
constexpr int kBlocks = 102;
constexpr int kFlows = 103;
constexpr int kThreads = 104;
constexpr int kWaits = 104;  // a snapshot takes its lock while it holds the forest's
constexpr int kForest = 105;
constexpr int kLeaves = 106;  // components whose locks are held while no other lock is taken
constexpr int kGroups = 107;
constexpr int kOtherLibraries = 110;  // the components that are libraries of their own
}  // namespace at_load

/// Calls the three functions around every fork: the first before it, the others after it in the parent and
/// the child. A component takes its locks in the first, so that the child inherits them free and the data
/// consistent. Throws `std::bad_alloc`.
TG_EXPORT void at_fork(void (*prepare)(), void (*parent)(), void (*child)());

/// Whether the caller runs in a child of `vfork`: in the memory of its parent, and as a process of its own. Makes a system
/// call. Async-signal-safe. True also in a child that was forked past the functions above, such as by the raw system call.
TG_EXPORT bool is_in_vfork_child() noexcept;

struct NothingInTheChild {
  void operator()() const noexcept {}
};

/// Holds the lock of a component that is never destroyed across every fork, so that the child inherits the
/// lock free and the data behind it consistent. In the child `in_child` is called first, with the lock held.
///
///     hold_across_forks([]() -> Mutex& { return only_.mutex_; });
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

}  // namespace tg::inline v0::runtime

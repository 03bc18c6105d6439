// SPDX-License-Identifier: Apache-2.0
// The registered functions of one group and the results of its runs.
//
// Invariants
//   R1. A list that `end_run` or `latest` returned stays valid until a newer run has ended and, after that, a
//       run begins while no other is running. So threads that execute at the same time each read what their
//       run returned.
//   R2. Results and functions that are dropped are destroyed with no lock held: they are the user's.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/function_call.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/function.hpp>
#include <threadgroup/results.hpp>

namespace tg::inline v0::detail {

/// A function as it was when a run began.
struct RegisteredCall {
  FunctionName name;
  std::shared_ptr<const FunctionCall> call;
};

/// The functions registered with one group, and the results of their runs (R1, R2).
///
/// Thread safety: everything from any thread.
/// Lifetime: the group's.
class Registry {
 public:
  void add(Function function);
  /// All functions of this name. Throws `std::out_of_range` naming it if there are none.
  std::vector<Function> find(const std::string& name, const std::string& group) const;
  std::vector<RegisteredCall> calls() const;

  void begin_run();
  /// The list's place is stable; see R1.
  const ResultList& end_run(ResultList results, bool completed);
  void abandon_run() noexcept;
  void mark_executed() noexcept;

  bool executed() const;
  const ResultList& latest() const;
  /// What there is before the first run.
  static const ResultList& none() noexcept;

 private:
  mutable Mutex mutex_;
  std::vector<Function> functions_ TG_GUARDED_BY(mutex_);
  // A list: what is in it never moves; the latest is last.
  std::list<ResultList> results_ TG_GUARDED_BY(mutex_);
  std::size_t running_ TG_GUARDED_BY(mutex_) = 0;
  bool executed_ TG_GUARDED_BY(mutex_) = false;
};

/// Holds a group's registry, which is made when first needed: until then, one null pointer.
/// Thread safety: `get_or_make` and `get` from any thread.
class RegistryHook {
 public:
  RegistryHook() = default;
  RegistryHook(const RegistryHook&) = delete;
  RegistryHook& operator=(const RegistryHook&) = delete;
  ~RegistryHook() { destroy(); }

  Registry& get_or_make();
  Registry* get() const noexcept { return registry_.load(std::memory_order_acquire); }
  /// Requires that no other thread uses it any more.
  void destroy() noexcept {
    delete get();
    registry_.store(nullptr, std::memory_order_relaxed);
  }

 private:
  Atomic<Registry*> registry_{nullptr};  // atomic: several threads may be the first to register
};

}  // namespace tg::inline v0::detail

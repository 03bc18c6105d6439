// SPDX-License-Identifier: Apache-2.0
// Threads for the workers of a group, even while the system refuses to create them.
#pragma once

#include <threadgroup/statistics.hpp>

#include "runtime/threads.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// Requests threads from the process's cache.
///
/// Invariant
///   S1. While a request is in the cache's list, its worker is counted as on its way (P3), so the group
///       requests no other one. The request is withdrawn when nothing is pending any more (unless a helper
///       leaves it: README.md), and when a lender or a helper needs the slot.
///
/// Thread safety: everything from any thread; functions that end in `_locked` under the pool's lock.
class ThreadSupply {
 public:
  using Requested = runtime::ThreadCache::Requested;

  explicit ThreadSupply(runtime::Job worker) noexcept
      : cache_(runtime::ThreadCache::instance()), request_(worker) {}

  /// Whether any request waits because the system has refused a thread.
  bool is_short() const noexcept { return cache_.is_short_of_threads(); }
  /// Whether any job waits for a thread, even if one is coming; a hint.
  bool has_requests() const noexcept { return cache_.has_requests(); }

  /// Requests a thread for a worker: see `runtime::ThreadCache::request`.
  Requested request(bool even_if_one_is_coming, int& error) noexcept {
    return cache_.request(request_, even_if_one_is_coming, error);
  }
  /// Leaves the request with the cache, after it was refused. Afterwards the caller calls `ask_at_once`,
  /// without the lock.
  void request_when_possible_locked() noexcept { cache_.request_when_possible(request_); }
  void ask_at_once() noexcept { cache_.ask_again(); }
  /// For a worker that runs anyway: if any job of the process waits for a thread, asks the system again once
  /// enough time has passed, and reports what this group lacks. Says whether any waited.
  bool ask_if_short(const Node& node) const noexcept {
    if (!is_short()) [[likely]]
      return false;
    cache_.ask_again();
    report(node);
    return true;
  }
  /// What the system has refused the requests that wait; nothing if none waits because of that.
  runtime::ThreadCache::Refusal refusal() const noexcept {
    if (!is_short()) return {};
    return cache_.refusal_of(request_);
  }
  /// Takes the request for one worker back. False if there is none, or each has its thread already.
  bool withdraw_locked() noexcept { return cache_.withdraw(request_); }

  /// Says on stderr that the group waits for threads, if it does. At most once a minute in the whole process.
  void report(const Node& node) const noexcept;

 private:
  runtime::ThreadCache& cache_;
  runtime::ThreadRequest request_;  // the cache's while it is in its list
};

}  // namespace tg::inline v0::detail

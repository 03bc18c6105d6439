// SPDX-License-Identifier: Apache-2.0
// Threads for the workers of a group, even while the system refuses to create them.
#pragma once

#include <exception>

#include <threadgroup/statistics.hpp>

#include "runtime/threads.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// Takes threads from the process's cache. For one worker at a time it can wait until there is a thread.
///
/// Invariant
///   S1. While a request waits, its worker is counted as on its way (P3), so the group requests no other one.
///       The request is withdrawn when the last task is done, and when a lender needs the slot.
///
/// Thread safety: functions that end in `_locked` are called under the pool's lock, which guards
/// `has_request_`; the others from any thread.
class ThreadSupply {
 public:
  enum class Brought { woken, made, refused };

  /// The jobs of a worker: one that gets a thread at once, and one that waited for it (and calls
  /// `arrived_locked`).
  ThreadSupply(runtime::Job worker, runtime::Job late_worker) noexcept
      : worker_(worker), request_(late_worker) {}

  /// Brings a thread for a worker. On `refused`, `error` says why.
  Brought bring(std::exception_ptr& error) noexcept;

  /// Leaves a request with the thread cache; `error` says why the system refused. Requires: there is no
  /// request. Afterwards the caller calls `ask_at_once`, without the lock.
  void request_locked(const std::exception_ptr& error) noexcept;
  void ask_at_once() noexcept { runtime::ThreadCache::instance().ask_again(); }
  /// For a worker that runs anyway: asks the system again if any job of the process waits for a thread and
  /// enough time has passed.
  static void ask_if_short() noexcept {
    if (runtime::ThreadCache::is_short_of_threads()) runtime::ThreadCache::instance().ask_again();
  }
  bool has_request_locked() const noexcept { return has_request_; }
  /// The `errno` of the refusal while there is a request; else 0.
  int error_locked() const noexcept;
  void arrived_locked() noexcept { has_request_ = false; }
  /// Takes the request back. False if there is none, or its worker has a thread already.
  bool withdraw_locked() noexcept;

  /// Says on stderr that the group waits for a thread, unless that is over. At most once a minute in the
  /// whole process.
  void report(const Node& node, const GroupStatistics& counts,
              const std::exception_ptr& error) const noexcept;

 private:
  const runtime::Job worker_;
  runtime::WaitingJob request_;  // the cache's while it waits there
  bool has_request_ = false;     // until the worker arrives
  int error_ = 0;                // of the last request
};

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// The thread that waits for signals, and shuts all groups down.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/shutdown.hpp>

#include "runtime/fork.hpp"
#include "runtime/signals.hpp"

namespace tg::inline v0::detail {

/// What a `SignalShutdown` is made of.
///
/// Thread safety: `signal` and `report` from any thread.
/// Lifetime: shared by its owner, who calls `close` in the end, and its thread.
class SignalWatch {
 public:
  /// Throws as the constructor of `SignalShutdown`.
  static std::shared_ptr<SignalWatch> start(ShutdownPlan plan, std::vector<int> signals);
  SignalWatch(ShutdownPlan plan, std::vector<int> signals)
      : plan_(plan), caught_(std::in_place, std::move(signals)) {}
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch() = default;
  /// Waits for a shutdown that has begun, and restores the actions of the signals.
  void close() noexcept;

  int signal() const noexcept { return caught_->first(); }
  std::optional<ShutdownReport> report() const;
  ShutdownReport wait_for_report();

 private:
  static void serve_main(void* shared) noexcept;
  void serve() noexcept;
  void shut_down() noexcept;
  static void stop_all(Reason reason) noexcept;
  void keep(ShutdownReport report) noexcept;

  const ShutdownPlan plan_;
  const std::uint32_t fork_generation_ = runtime::fork_generation();
  std::optional<runtime::SignalCatch> caught_;  // until the end of `close`
  WaitQueue nothing_;                           // the handlers unpark the thread
  Atomic<bool> closing_{false};                 // atomic: written by `close`, read by the thread
  WaitQueue ended_waiters_;
  WaitQueue report_waiters_;
  mutable Mutex mutex_;
  bool has_ended_ TG_GUARDED_BY(mutex_) = false;
  bool has_begun_ TG_GUARDED_BY(mutex_) = false;  // to shut down
  std::optional<ShutdownReport> report_ TG_GUARDED_BY(mutex_);
};

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// A function that is called at intervals on another flow.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/duration.hpp>

#include "event/event.hpp"

namespace tg::inline v0::detail {

/// Calls a function every `interval` on a flow of its own, until it is destroyed.
///
/// Guarantees: when the destructor returns, the function does not run and will not run again; but a caller
/// that is stopped waits for a run under way no longer than `grace`. In a forked child, where there is no
/// such flow, the destructor returns at once.
class Background {
 public:
  /// The function does not throw, owns what it uses, and does not destroy this object. Throws
  /// `std::system_error` if no thread can be started.
  Background(Duration interval, Duration grace, std::function<void()> tick);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();

 private:
  // Shared with the flow, which may be on its last steps when we are gone.
  struct State {
    Duration interval;
    std::function<void()> tick;
    Event stop;
    // Made beforehand, so that the end needs no memory.
    const ReasonPointer ending = ReasonPointer::adopt(new SharedReason(Reason{}));
    Mutex mutex;
    bool ended TG_GUARDED_BY(mutex) = false;
    WaitQueue end_waiters;
  };
  static void serve(void* shared_state) noexcept;

  // Constant after construction.
  const std::shared_ptr<State> state_;
  const Duration grace_;
  const std::uint32_t fork_generation_;
};

}  // namespace tg::inline v0::detail

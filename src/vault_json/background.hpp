// SPDX-License-Identifier: Apache-2.0
// Something done again and again beside the program, and turns at something that takes long.
#pragma once

#include <functional>
#include <memory>

#include <threadgroup/base/duration.hpp>
#include <threadgroup/base/mutex.hpp>
#include <threadgroup/event/event.hpp>
#include <threadgroup/event/wait_queue.hpp>
#include <threadgroup/runtime/flow.hpp>

namespace tg::detail {

/// Calls a function every `interval` on a flow of its own, until it is destroyed.
///
/// Guarantees: when the destructor returns, the function does not run and will not run again. Throws
/// `std::system_error` if no thread can be had.
class Background {
 public:
  /// The function must not throw, and not destroy this object.
  Background(Duration interval, std::function<void()> tick);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();

 private:
  // Shared with the flow, which may be on its last steps when we are gone.
  struct State {
    Duration interval;
    std::function<void()> tick;
    Event stop;
    // Made beforehand: the end must not fail for want of memory.
    const ReasonPointer ending = ReasonPointer::adopt(new SharedReason(Reason{}));
    Mutex mutex;
    bool ended TG_GUARDED_BY(mutex) = false;
    WaitQueue end_waiters;
  };
  static void serve(void* shared_state) noexcept;
  const std::shared_ptr<State> state_;
};

/// One flow at a time, where what is done may block or call the user's code, so that a lock would be wrong:
/// the others park.
class Turns {
 public:
  /// Waits for the turn. Throws `std::system_error` (`resource_deadlock_would_occur`) if the caller has it.
  void take();
  void give() noexcept;

 private:
  Mutex mutex_;
  runtime::Flow* owner_ TG_GUARDED_BY(mutex_) = nullptr;
  WaitQueue waiters_;
};

class Turn {
 public:
  explicit Turn(Turns& turns) : turns_(turns) { turns_.take(); }
  ~Turn() { turns_.give(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Turns& turns_;
};

}  // namespace tg::detail

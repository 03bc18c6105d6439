// SPDX-License-Identifier: Apache-2.0
// One flow at a time, where a lock would be wrong.
#pragma once

#include <threadgroup/base/mutex.hpp>
#include <threadgroup/event/wait_queue.hpp>
#include <threadgroup/runtime/flow.hpp>

namespace tg::detail {

/// Turns at something that calls the user's code, so that no lock can be held: the flows that wait for their
/// turn are parked.
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

// SPDX-License-Identifier: Apache-2.0
// Mutual exclusion where no lock may be held.
#pragma once

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/wait_queue.hpp>

#include "runtime/flow.hpp"

namespace tg::inline v0::detail {

/// Turns at a section that runs code of the user, under which no lock may be held: flows that wait for their
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

}  // namespace tg::inline v0::detail

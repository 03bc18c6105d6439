// SPDX-License-Identifier: Apache-2.0
// Calls that a flow makes at intervals while it waits.
#pragma once

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>

#include "runtime/flow.hpp"

namespace tg::inline v0::runtime {

/// For as long as the object lives, the calling flow interrupts its waits at intervals to call a function: an
/// interpreter looks at signals there. The wait keeps its place among those who wait for the same.
///
/// Requires: destroyed by the flow that made it, in the reverse order of construction.
/// Guarantees: the function is called while the flow holds no lock. It may set an event, which ends the wait,
/// and it may wait itself; those waits are not interrupted by this object.
class TG_EXPORT WaitBreaks {
 public:
  /// The function does not throw.
  WaitBreaks(Duration interval, FunctionRef<void()> look) noexcept;
  ~WaitBreaks();
  WaitBreaks(const WaitBreaks&) = delete;
  WaitBreaks& operator=(const WaitBreaks&) = delete;

  /// Null if the flow, which is the calling one, has none.
  static WaitBreaks* of(const Flow& flow) noexcept;
  /// For the wait: when it is to be interrupted next.
  TimePoint next() const noexcept { return next_; }
  /// For the wait: calls the function if it is time.
  void look_if_due();

 private:
  // The innermost one of the thread; perhaps of another flow that an engine runs on it.
  static constinit thread_local WaitBreaks* current_;

  const Duration interval_;
  const FunctionRef<void()> look_;
  const Flow* const flow_;
  WaitBreaks* const outer_;
  TimePoint next_;
};

}  // namespace tg::inline v0::runtime

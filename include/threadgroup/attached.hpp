// SPDX-License-Identifier: Apache-2.0
// A thread that acts as part of a group.
#pragma once

#include <threadgroup/detail/export.hpp>
#include <threadgroup/scope.hpp>

namespace tg {
inline namespace v0 {

class ThreadGroup;

/// Makes a thread that the library did not start act as part of a group.
///
///     void on_message(tg::ThreadGroup& group, const Message& message) {   // on a thread of another library
///       const tg::Attached attached(group);
///       if (!tg::thread_utils::event_aware_sleep(1s)) return;             // the group was stopped
///       ...
///     }
///
/// While the object lives, the event of the group stops the event-aware calls of the thread, the calls in
/// `thread_utils` apply to the group, and a group that the thread makes becomes a child of it. The thread is not one
/// of the group's tasks: neither the bound nor a join counts it.
///
/// Requires: as for `StopScope`.
/// Thread safety: belongs to the thread that made it.
/// Lifetime: the group may be destroyed first. Then its event is set, which stops the waits of the thread.
class TG_EXPORT Attached : private detail::Scope {
 public:
  /// Throws `std::logic_error` in a task, which is part of its own group, and if the group is being destroyed;
  /// `ForkedError` if the group is that of the parent of this process.
  explicit Attached(ThreadGroup& group);
  ~Attached();
};

}  // namespace v0
}  // namespace tg

// SPDX-License-Identifier: Apache-2.0
// What the primitives share: the note of a waiting flow, and the report of a primitive that is destroyed in use.
#pragma once

#include <string>
#include <string_view>

#include "base/report.hpp"
#include "event/callers_task.hpp"
#include "event/wait_note.hpp"
#include "runtime/engine.hpp"
#include "runtime/fork.hpp"
#include "sync/parking_lot.hpp"

namespace tg::inline v0::detail {

/// Records, while it lives, that the calling flow waits for a primitive: for snapshots and reports of hangs.
///
///     const SyncNote note(this, "a latch", [](const WaitNote& note) -> std::string {
///       return std::to_string(SyncNote::primitive<Latch>(note).missing()) + " threads";
///     });
class SyncNote : public WaitNote {
 public:
  /// `what` is a static text for snapshots; `describe` may look at the primitive, for simulations.
  SyncNote(const void* primitive, const char* what, Text describe = nullptr) noexcept
      : WaitNote(describe, what), primitive_(primitive) {}
  template <class T>
  static const T& primitive(const WaitNote& note) noexcept {
    return *static_cast<const T*>(static_cast<const SyncNote&>(note).primitive_);
  }

 private:
  const void* const primitive_;
};

/// Whether the bits of a primitive may speak of waiters of the parent: of those, none ever comes to clear them. Not
/// in an exploration, whose schedules begin as forked children but with new primitives.
inline bool may_be_inherited() noexcept { return !runtime::kIsExplored && runtime::fork_generation() != 0; }

/// For a destructor: reports that other flows use the primitive. Fails a simulation; otherwise it is a line on
/// stderr and not the end of the process, because a static object may be destroyed while other threads
/// still run, which harms only those that use it afterwards.
inline void report_use_after_destruction(std::string_view what) noexcept {
  const std::string text =
      std::string(what) + " was destroyed while it was in use: keep it until all tasks that use it end";
  if (runtime::Engine* const engine = runtime::Engine::of_caller()) engine->fail(text);
  report_line({text});
}

/// Whether a flow waits at the key.
inline bool has_waiters(ParkingKey key) noexcept {
  bool found = false;
  ParkingLot::instance().look(key, [&](const ParkingEntry&) { found = true; });
  return found;
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// A wait for the first of several things of different kinds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <threadgroup/detail/channel_core.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg::inline v0::detail {

class Event;
class Selection;
class TaskSlot;

/// What one case of a `select` waits for.
class SelectItem {
 public:
  explicit SelectItem(ChannelCase& channel) noexcept : what_(What::channel), channel_(&channel) {}
  explicit SelectItem(Duration after) noexcept : what_(What::time), after_(after) {}
  explicit SelectItem(TaskSlot& task) noexcept : what_(What::task), task_(&task) {}
  explicit SelectItem(Event& event) noexcept : what_(What::event), event_(&event) {}
  struct Descriptor {
    int number;
    bool for_writing;
  };
  explicit SelectItem(Descriptor descriptor) noexcept : what_(What::descriptor), descriptor_(descriptor) {}
  /// For what is done if nothing else is possible at once.
  SelectItem() noexcept = default;
  SelectItem(const SelectItem&) = delete;
  SelectItem& operator=(const SelectItem&) = delete;

 private:
  friend class Selection;
  enum class What : std::uint8_t { otherwise, channel, time, task, event, descriptor };
  What what_ = What::otherwise;
  ChannelCase* channel_ = nullptr;
  Duration after_;
  TaskSlot* task_ = nullptr;
  Event* event_ = nullptr;
  Descriptor descriptor_{-1, false};
  bool is_ready_ = false;         // of a descriptor, at the last look
  std::optional<WaitNode> node_;  // of a task or an event, while the flow waits
};

struct SelectEnd {
  WaitOutcome outcome;
  std::size_t index = 0;  // of the item, if `ready` or `closed`
};

/// Waits until one of the items is possible, and does it if it is a channel's. `ready`, `closed` if a channel is
/// closed and no other item is possible, or `event_set` if the caller is stopped. `room` is for as many pointers
/// as there are items.
TG_EXPORT SelectEnd select_one(std::span<SelectItem> items, std::span<ChannelCase*> room);

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// What a flow waits for, as a text for other flows to read.
#pragma once

#include <string>
#include <utility>

#include "runtime/flow.hpp"

namespace tg::inline v0::detail {

/// Says what the calling flow waits for, while the object lives.
///
///     const WaitNote note([](const WaitNote&) -> std::string { return "a time"; });
///
/// Thread safety: belongs to one flow. Another flow may read it while this one cannot run, as in a
/// simulation.
class WaitNote {
 public:
  using Text = std::string (*)(const WaitNote&);

  explicit WaitNote(Text describe) noexcept : text_(describe), flow_(runtime::Flow::current_if_any()) {
    if (flow_ != nullptr) outer_ = std::exchange(flow_->wait_note, this);
  }
  /// A note that no flow has.
  struct ForNoFlow {};
  WaitNote(Text describe, ForNoFlow) noexcept : text_(describe), flow_(nullptr) {}
  ~WaitNote() { end_note(); }
  WaitNote(const WaitNote&) = delete;
  WaitNote& operator=(const WaitNote&) = delete;

  /// "task 'a' of group 'g'", as the rest of a sentence that begins with "waits for".
  std::string text() const { return text_(*this); }
  /// The same for all notes that one function describes.
  Text kind() const noexcept { return text_; }

 protected:
  void end_note() noexcept {
    if (flow_ != nullptr) std::exchange(flow_, nullptr)->wait_note = outer_;
  }

 private:
  const Text text_;
  runtime::Flow* flow_;
  const WaitNote* outer_ = nullptr;
};

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// What a flow waits for, as a text.
#pragma once

#include <string>
#include <utility>

#include "runtime/flow.hpp"
#include "runtime/wait_word.hpp"

namespace tg::inline v0::detail {

/// Says what the calling flow waits for, while the object lives. In a task, snapshots show it.
///
///     const WaitNote note("a time (event_aware_sleep)");
///
/// Thread safety: belongs to one flow. Another flow may read the note while this one cannot run, as in a
/// simulation; and the static text at any time, through the task's `WaitWord`.
class WaitNote {
 public:
  using Text = std::string (*)(const WaitNote&);

  /// `what` is the rest of a sentence that begins with "waits for". It lives as long as the program.
  explicit WaitNote(const char* what) noexcept : WaitNote(nullptr, what) {}
  /// The same with a longer text for flows that may read the note itself.
  explicit WaitNote(Text describe, const char* what = "something") noexcept
      : text_(describe), what_(what), flow_(runtime::Flow::current_if_any()) {
    if (flow_ == nullptr) return;
    outer_ = std::exchange(flow_->wait_note, this);
    if (flow_->wait_word == nullptr) return;
    in_outer_ = flow_->wait_word->state();
    flow_->wait_word->begin(what);
  }
  /// For a system call that may sleep, on this descriptor; -1 if there are several.
  WaitNote(const char* what, int descriptor) noexcept : WaitNote(what) {
    if (flow_ != nullptr && flow_->wait_word != nullptr) flow_->wait_word->begin_call(what, descriptor);
  }
  /// A note that no flow has.
  struct ForNoFlow {};
  WaitNote(Text describe, ForNoFlow) noexcept : text_(describe), what_("something"), flow_(nullptr) {}
  ~WaitNote() { end_note(); }
  WaitNote(const WaitNote&) = delete;
  WaitNote& operator=(const WaitNote&) = delete;

  /// "task 'a' of group 'g'", as the rest of a sentence that begins with "waits for".
  std::string text() const { return text_ != nullptr ? text_(*this) : std::string(what_); }
  /// The same for all notes that one function describes.
  Text kind() const noexcept { return text_; }

 protected:
  void end_note() noexcept {
    if (flow_ == nullptr) return;
    flow_->wait_note = outer_;
    if (flow_->wait_word != nullptr) flow_->wait_word->restore(in_outer_);
    flow_ = nullptr;
  }

 private:
  const Text text_;
  const char* const what_;
  runtime::Flow* flow_;
  const WaitNote* outer_ = nullptr;
  runtime::WaitWord::State in_outer_;
};

}  // namespace tg::inline v0::detail

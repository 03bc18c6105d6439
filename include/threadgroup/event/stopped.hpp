// SPDX-License-Identifier: Apache-2.0
// What code throws to leave a task because of a stop.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <threadgroup/event/reason.hpp>

namespace tg {

/// The work ends here because an event was set; `reason` says why it was.
///
///     if (const auto reason = tg::thread_utils::reason()) throw tg::Stopped("no more pages", *reason);
///
/// A task that exits by a `Stopped`, or by a type derived from it, while an event that covers the task is set
/// ends as `stopped`. That is not a failure, and no join throws it. Everything that the library throws
/// because of a stop derives from it.
/// Lifetime: copies share the reason.
class Stopped : public std::runtime_error {
 public:
  Stopped(const std::string& what, Reason reason)
      : Stopped(what, detail::ReasonPointer::adopt(new detail::SharedReason(std::move(reason)))) {}
  /// For the library, which has the reason already. Requires: there is one.
  Stopped(const std::string& what, detail::ReasonPointer reason)
      : std::runtime_error(what), reason_(std::move(reason)) {}

  const Reason& reason() const noexcept { return *reason_; }

 private:
  detail::ReasonPointer reason_;
};

}  // namespace tg

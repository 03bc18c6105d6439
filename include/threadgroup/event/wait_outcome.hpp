// SPDX-License-Identifier: Apache-2.0
// How a wait ends.
#pragma once

namespace tg {

/// How a wait ended. A call that knows fewer ways to end returns only those.
enum class [[nodiscard]] WaitOutcome{
    ready,      ///< what was waited for is there
    event_set,  ///< an event that covers the caller was set first
    timed_out,  ///< the time-out came first
    closed,     ///< what was waited for can never come any more
};
const char* to_string(WaitOutcome outcome) noexcept;

}  // namespace tg

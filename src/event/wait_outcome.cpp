// SPDX-License-Identifier: Apache-2.0
// Names of the outcomes.
#include <threadgroup/event/wait_outcome.hpp>

namespace tg {

const char* to_string(WaitOutcome outcome) noexcept {
  switch (outcome) {
    case WaitOutcome::ready:
      return "ready";
    case WaitOutcome::event_set:
      return "event_set";
    case WaitOutcome::timed_out:
      return "timed_out";
    case WaitOutcome::closed:
      return "closed";
  }
  return "unknown";
}

}  // namespace tg

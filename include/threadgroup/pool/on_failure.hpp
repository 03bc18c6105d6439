// SPDX-License-Identifier: Apache-2.0
// What one failure means for the other tasks of a group.
#pragma once

namespace tg {

/// What a group does when one of its tasks fails.
enum class OnFailure {
  keep_going,  ///< the others go on; the failure waits for a join
  set_event,   ///< the others are stopped, too
};

}  // namespace tg

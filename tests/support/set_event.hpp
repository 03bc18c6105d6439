// SPDX-License-Identifier: Apache-2.0
// Sets an event that belongs to no node.
#pragma once

#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/reason.hpp>

#include "event/event.hpp"

namespace tg::test {

/// What the forest does for one node. The event may be set already.
inline void set(detail::Event& event) {
  const auto reason = detail::ReasonPointer::adopt(new detail::SharedReason(Reason{}));
  reason.get()->add_references(1);
  if (!event.mark(reason.get())) return reason.get()->release();
  if (event.is_watched()) event.release_waiters();
}

}  // namespace tg::test

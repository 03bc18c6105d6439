// SPDX-License-Identifier: Apache-2.0
// A call that a stop ends, or the plain one.
#pragma once

#include "interpose/next_function.hpp"
#include "posix/foreign_call.hpp"

namespace tg::inline v0::interpose {

/// The call of `tg::posix` where a stop can end it, else the one that was replaced.
///
///     return stoppable(posix::read, next_read, fd, buffer, bytes);
///
/// Inlined without optimisation, too: the plain call may be a cancellation point, from which `pthread_cancel` unwinds the
/// stack, and this adds no frame to it.
template <class Call, class Next, class... Arguments>
[[gnu::always_inline]] inline auto stoppable(Call* call, NextFunction<Next>& next, Arguments... arguments) {
  if (!detail::ForeignCall::can_be_stopped()) [[likely]]
    return next(arguments...);
  return call(arguments...);
}

}  // namespace tg::inline v0::interpose

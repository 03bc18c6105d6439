// SPDX-License-Identifier: Apache-2.0
// Calls of C code, which expects no exception.
#pragma once

#include <threadgroup/detail/export.hpp>

#include "runtime/flow.hpp"

namespace tg::inline v0::detail {

/// Whether a call of foreign code becomes one of `tg::posix`.
///
///     return ForeignCall::can_be_stopped() ? tg::posix::read(fd, buffer, bytes) : plain_read(fd, buffer, bytes);
///
/// Guarantees: the call of `tg::posix` does not throw.
/// Thread safety: from any thread, and from signal handlers as `tg::posix`.
class ForeignCall {
 public:
  /// False also in a simulated program, and where a stop could not end the call, for example because the program handles
  /// the stop signal itself. In the latter case it has said so on stderr, once for each signal that `use_signal` has chosen.
  static bool can_be_stopped() noexcept {
    runtime::Flow* const flow = runtime::Flow::current_if_any();
    if (flow == nullptr || flow->event == nullptr || flow->engine() != nullptr) [[likely]]
      return false;
    return flow->call_registration != nullptr || prepare(*flow);
  }

 private:
  // The first call of a thread.
  TG_EXPORT static bool prepare(runtime::Flow& flow) noexcept;
};

}  // namespace tg::inline v0::detail

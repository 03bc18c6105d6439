// SPDX-License-Identifier: Apache-2.0
// What may fail, before the call.
#include "posix/foreign_call.hpp"

#include <exception>
#include <system_error>

#include <threadgroup/detail/atomic.hpp>

#include "base/report.hpp"
#include "tree/call_registration.hpp"

namespace tg::inline v0::detail {

namespace {
// Atomic: any thread sets it.
constinit Atomic<bool> signal_is_refused{false};
}  // namespace

bool ForeignCall::prepare(runtime::Flow& flow) noexcept {
  if (signal_is_refused.load(std::memory_order_relaxed)) return false;
  try {
    return CallRegistration::of(flow) != nullptr;
  } catch (const std::system_error& error) {
    if (!signal_is_refused.exchange(true, std::memory_order_relaxed))
      report_line({"a stop will not end the calls of other libraries: ", error.what()});
  } catch (const std::exception&) {  // no memory for a text: the next call tries again
  }
  return false;
}

}  // namespace tg::inline v0::detail

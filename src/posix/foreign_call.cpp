// SPDX-License-Identifier: Apache-2.0
// What may fail, before the call.
#include "posix/foreign_call.hpp"

#include <exception>
#include <system_error>

#include <threadgroup/detail/atomic.hpp>

#include "base/report.hpp"
#include "runtime/stop_signal.hpp"
#include "tree/call_registration.hpp"

namespace tg::inline v0::detail {

namespace {
// The number of the signal that was refused last, or 0. Atomic: any thread sets it.
constinit Atomic<int> refused_signal{0};
}  // namespace

bool ForeignCall::prepare(runtime::Flow& flow) noexcept {
  const int number = runtime::StopSignal::number();
  if (refused_signal.load(std::memory_order_relaxed) == number) return false;
  try {
    return CallRegistration::of(flow) != nullptr;
  } catch (const std::system_error& error) {
    if (refused_signal.exchange(number, std::memory_order_relaxed) != number)
      report_line({"a stop will not end the calls of other libraries: ", error.what()});
  } catch (const std::exception&) {  // no memory for a text: the next call tries again
  }
  return false;
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// The breaks of the calling thread.
#include "runtime/wait_breaks.hpp"

#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

constinit thread_local WaitBreaks* WaitBreaks::current_ = nullptr;

WaitBreaks::WaitBreaks(Duration interval, FunctionRef<void()> look) noexcept
    : interval_(interval),
      look_(look),
      flow_(&Flow::current()),
      outer_(current_),
      next_(runtime::after(interval)) {
  current_ = this;
}
WaitBreaks::~WaitBreaks() { current_ = outer_; }

WaitBreaks* WaitBreaks::of(const Flow& flow) noexcept {
  return current_ != nullptr && current_->flow_ == &flow ? current_ : nullptr;
}

void WaitBreaks::look_if_due() {
  if (now() < next_) return;
  current_ = nullptr;
  look_();
  current_ = this;
  next_ = runtime::after(interval_);
}

}  // namespace tg::inline v0::runtime

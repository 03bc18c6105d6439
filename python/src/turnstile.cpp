// SPDX-License-Identifier: Apache-2.0
#include "turnstile.hpp"

#include <threadgroup/duration.hpp>

namespace tg::python {

void Turnstile::line_up(Place& place) noexcept {
  runtime::Flow& flow = place.flow_;
  {
    detail::MutexLock lock(mutex_);
    if (taken_) {
      (first_ != nullptr ? last_->next_ : first_) = &place;
      last_ = &place;
      return;
    }
    taken_ = true;
    place.has_turn_.store(true, std::memory_order_release);  // N2: from here on the place may be gone
  }
  if (&flow != runtime::Flow::current_if_any()) flow.unpark();
}

void Turnstile::wait(const Place& place) noexcept {
  while (!place.has_turn()) place.flow_.park_until(TimePoint::never());
}

void Turnstile::pass_on() noexcept {
  runtime::Flow* flow = nullptr;
  {
    detail::MutexLock lock(mutex_);
    if (first_ == nullptr) {
      taken_ = false;
      return;
    }
    Place& next = *first_;
    first_ = next.next_;
    flow = &next.flow_;
    next.has_turn_.store(true, std::memory_order_release);  // N2
  }
  flow->unpark();
}

}  // namespace tg::python

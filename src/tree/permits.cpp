// SPDX-License-Identifier: Apache-2.0
// Taking, promising and giving back. D1 and D2 are in the header.
#include "tree/permits.hpp"

#include "base/planted.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

// A permit that is free and not promised is about to be promised to the first waiter without one, if there is
// one: D1.
bool Permits::has_one_for_newcomers_locked() const noexcept {
  return free_ > promised_ && (first_unpromised_ == nullptr || TG_PLANTED(permits_newcomer_overtakes));
}

bool Permits::try_take() noexcept {
  MutexLock lock(mutex_);
  if (!has_one_for_newcomers_locked()) return false;
  --free_;
  return true;
}

bool Permits::take_or_wait(Waiter& waiter) noexcept {
  MutexLock lock(mutex_);
  if (waiter.waits_) {
    if (!waiter.is_promised_) return false;
    remove_locked(waiter);
    --free_;
    return true;
  }
  if (has_one_for_newcomers_locked()) {
    --free_;
    return true;
  }
  enqueue_locked(waiter);
  return false;
}

bool Permits::ask(Waiter& waiter) noexcept {
  MutexLock lock(mutex_);
  if (waiter.waits_) return waiter.is_promised_;
  const bool has_one = has_one_for_newcomers_locked();
  enqueue_locked(waiter);
  if (!has_one) return false;
  first_unpromised_ = waiter.next_;
  waiter.is_promised_ = true;
  ++promised_;
  return true;
}

bool Permits::is_promised(const Waiter& waiter) const noexcept {
  MutexLock lock(mutex_);
  return waiter.is_promised_;
}

bool Permits::withdraw(Waiter& waiter) noexcept {
  MutexLock lock(mutex_);
  if (!waiter.waits_) return false;
  const bool was_promised = waiter.is_promised_;
  remove_locked(waiter);
  if (was_promised) --free_;
  return was_promised && !TG_PLANTED(permits_withdrawn_promise_is_lost);
}

void Permits::take_anyway(std::size_t count) noexcept {
  MutexLock lock(mutex_);
  take_anyway_locked(static_cast<std::ptrdiff_t>(count));
}

// The last waiters that have promises lose them if no permits are left for them.
void Permits::take_anyway_locked(std::ptrdiff_t count) noexcept {
  free_ -= count;
  for (; promised_ > 0 && promised_ > free_; --promised_) {
    Waiter* const loser = first_unpromised_ != nullptr ? first_unpromised_->previous_ : last_;
    loser->is_promised_ = false;
    first_unpromised_ = loser;
  }
}

void Permits::give_back(std::size_t count) noexcept {
  for (;;) {
    Call call{};
    {
      MutexLock lock(mutex_);
      free_ += static_cast<std::ptrdiff_t>(count);
      count = 0;
      if (!promise_one_locked(call)) return;
    }
    if (!make(call)) count = 1;
  }
}

void Permits::change_count(std::ptrdiff_t change) noexcept {
  {
    MutexLock lock(mutex_);
    count_ += change;
    if (change <= 0) return take_anyway_locked(-change);
  }
  give_back(static_cast<std::size_t>(change));
}

std::size_t Permits::waiting() const noexcept {
  MutexLock lock(mutex_);
  return waiting_;
}

Permits::Load Permits::load() const noexcept {
  MutexLock lock(mutex_);
  return {.taken = static_cast<std::size_t>(count_ - free_ + promised_),
          .waiting = waiting_ - static_cast<std::size_t>(promised_)};
}

void Permits::enqueue_locked(Waiter& waiter) noexcept {
  waiter.waits_ = true;
  ++waiting_;
  waiter.is_promised_ = false;
  waiter.next_ = nullptr;
  waiter.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &waiter;
  last_ = &waiter;
  if (first_unpromised_ == nullptr) first_unpromised_ = &waiter;
}

void Permits::remove_locked(Waiter& waiter) noexcept {
  if (first_unpromised_ == &waiter) first_unpromised_ = waiter.next_;
  (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
  (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = waiter.previous_;
  waiter.waits_ = false;
  --waiting_;
  if (waiter.is_promised_) --promised_;
  waiter.is_promised_ = false;
}

bool Permits::promise_one_locked(Call& call) noexcept {
  if (first_unpromised_ == nullptr || free_ <= promised_) return false;
  Waiter& waiter = *first_unpromised_;
  waiter.is_promised_ = true;
  ++promised_;
  first_unpromised_ = waiter.next_;
  // While the waiter is in the queue it exists. It may leave before it is called. If a node has no owner any more,
  // it is about to leave, and gives the permit back: D5.
  call = {waiter.flow_, waiter.node_};
  if (call.node == nullptr) return true;
  if (TG_PLANTED(subtree_claim_outlives_its_group)) {
    call.node->add_reference();
  } else if (!call.node->try_add_reference()) {
    call.node = nullptr;
  }
  return true;
}

// False if the waiter does not want the permit, so that the next one gets it.
bool Permits::make(const Call& call) noexcept {
  if (TG_PLANTED(permits_wake_no_one)) return true;
  if (call.flow != nullptr) {
    call.flow->unpark();
    return true;
  }
  if (call.node == nullptr) return true;
  const bool wants_it = call.node->permit_is_free(*this);
  call.node->release();
  return wants_it;
}

}  // namespace tg::inline v0::detail

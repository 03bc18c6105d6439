// SPDX-License-Identifier: Apache-2.0
// The table of queues, and how a waiter is claimed, served and woken.
#include "sync/parking_lot.hpp"

#include <memory>

#include "base/planted.hpp"
#include "runtime/fork.hpp"

namespace tg::inline v0::detail {

constinit ParkingLot::Bucket ParkingLot::buckets_of_process_[kBuckets];
constinit ParkingLot ParkingLot::of_process_(buckets_of_process_, kBuckets);

// As the engine, it is never destroyed.
ParkingLot::ParkingLot() : buckets_(new Bucket[kBucketsOfEngine]), count_(kBucketsOfEngine) {}

bool ParkingLot::link(ParkingEntry& entry, FunctionRef<bool()> validate, Where where) noexcept {
  if (TG_PLANTED(lot_validates_too_early) && !validate()) return false;
  Bucket& bucket = bucket_of(entry.key_);
  MutexLock lock(bucket.mutex);
  if (!TG_PLANTED(lot_validates_too_early) && !validate()) return false;
  link_locked(bucket, entry, where);
  return true;
}

void ParkingLot::unlink(ParkingEntry& entry) noexcept {
  if (TG_PLANTED(lot_entry_stays_linked)) return;
  Bucket& bucket = bucket_of(entry.key_);
  MutexLock lock(bucket.mutex);
  if (entry.linked_) unlink_locked(bucket, entry);
}

std::size_t ParkingLot::release(ParkingKey key, FunctionRef<Choice(ParkingEntry&)> choose,
                                FunctionRef<void(ParkingEntry&)> serve,
                                FunctionRef<void(bool more)> finish) noexcept {
  ParkingEntry* served = nullptr;
  ParkingEntry** end = &served;
  std::size_t count = 0;
  {
    Bucket& bucket = bucket_of(key);
    MutexLock lock(bucket.mutex);
    for (ParkingEntry* entry = find_locked(bucket, key); entry != nullptr;) {
      ParkingEntry* const next = entry->next_;
      const Choice choice = choose(*entry);
      if (choice == Choice::end) break;
      // A waiter that was claimed already unlinks its other entries itself.
      if (choice == Choice::serve && (entry->waiter_.claim(Waiter::kFirstCase + entry->number_) ||
                                      TG_PLANTED(lot_serves_who_is_claimed))) {
        unlink_locked(bucket, *entry);
        serve(*entry);
        *end = entry;
        end = &entry->next_;
        ++count;
      }
      entry = next;
    }
    *end = nullptr;
    finish(find_locked(bucket, key) != nullptr);
  }
  while (served != nullptr) {
    ParkingEntry* const next = served->next_;
    served->waiter_.release();
    served = next;
  }
  return count;
}

bool ParkingLot::release_one(ParkingKey key,
                             FunctionRef<void(ParkingEntry* served, bool more)> finish) noexcept {
  ParkingEntry* first = nullptr;
  return release(
             key, [&](ParkingEntry&) { return first == nullptr ? Choice::serve : Choice::end; },
             [&](ParkingEntry& entry) { first = &entry; }, [&](bool more) { finish(first, more); }) != 0;
}

std::size_t ParkingLot::release_all(ParkingKey key) noexcept {
  return release(
      key, [](ParkingEntry&) { return Choice::serve; }, [](ParkingEntry&) {}, [](bool) {});
}

void ParkingLot::look(ParkingKey key, FunctionRef<void(const ParkingEntry&)> f) noexcept {
  Bucket& bucket = bucket_of(key);
  MutexLock lock(bucket.mutex);
  for (ParkingEntry* entry = find_locked(bucket, key); entry != nullptr; entry = entry->next_) f(*entry);
}

ParkingEntry* ParkingLot::find_locked(Bucket& bucket, ParkingKey key) noexcept {
  ParkingEntry* first = bucket.first;
  while (first != nullptr && first->key_ != key) first = first->next_first_;
  return first;
}

void ParkingLot::link_locked(Bucket& bucket, ParkingEntry& entry, Where where) noexcept {
  entry.linked_ = true;
  entry.previous_ = entry.next_ = nullptr;
  ParkingEntry** at = &bucket.first;
  while (*at != nullptr && (*at)->key_ != entry.key_) at = &(*at)->next_first_;
  ParkingEntry* const first = *at;
  if (first == nullptr || where == Where::front) {
    entry.next_ = first;
    entry.last_ = first != nullptr ? first->last_ : &entry;
    entry.next_first_ = first != nullptr ? first->next_first_ : nullptr;
    if (first != nullptr) first->previous_ = &entry;
    *at = &entry;
    return;
  }
  entry.previous_ = first->last_;
  first->last_->next_ = &entry;
  first->last_ = &entry;
}

void ParkingLot::unlink_locked(Bucket& bucket, ParkingEntry& entry) noexcept {
  entry.linked_ = false;
  if (entry.previous_ != nullptr) {
    entry.previous_->next_ = entry.next_;
    if (entry.next_ != nullptr) entry.next_->previous_ = entry.previous_;
    else find_locked(bucket, entry.key_)->last_ = entry.previous_;
    return;
  }
  ParkingEntry** at = &bucket.first;
  while (*at != &entry) at = &(*at)->next_first_;
  if (entry.next_ == nullptr) {
    *at = entry.next_first_;
    return;
  }
  entry.next_->previous_ = nullptr;
  entry.next_->last_ = entry.last_;
  entry.next_->next_first_ = entry.next_first_;
  *at = entry.next_;
}

void ParkingLot::forget() noexcept TG_NO_THREAD_SAFETY_ANALYSIS {  // other threads are gone, or never were
  for (std::size_t i = 0; i < count_; ++i) {
    std::construct_at(&buckets_[i].mutex);  // a thread of the parent may have held it
    buckets_[i].first = nullptr;
  }
}

void ParkingLot::register_it() {
  runtime::at_fork(nullptr, nullptr, [] { of_process_.forget(); });
  using runtime::Engine;
  Engine::register_part(Engine::Part::parking,
                        {[]() -> void* { return new ParkingLot; },
                         [](void* part) noexcept { static_cast<ParkingLot*>(part)->forget(); }});
}

namespace {
[[gnu::constructor(runtime::at_load::kLeaves)]] void register_parking_lot() { ParkingLot::register_it(); }
}  // namespace

}  // namespace tg::inline v0::detail

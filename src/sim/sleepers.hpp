// SPDX-License-Identifier: Apache-2.0
// Which flows sleep, on which word and until when.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <threadgroup/duration.hpp>

namespace tg::inline v0::sim {

/// A flow that can sleep.
struct Sleeper {
  explicit Sleeper(std::size_t n) : number(n) {}
  const std::size_t number;
  // While it sleeps.
  const void* word = nullptr;
  const void* second = nullptr;  // another word, or null
  TimePoint deadline;

 private:
  friend class Sleepers;
  static constexpr std::size_t kNone = ~std::size_t{0};
  Sleeper* previous_ = nullptr;  // of those in the same bucket, in the order in which they fell asleep
  Sleeper* next_ = nullptr;
  std::size_t place_ = kNone;  // among those with a deadline
};

/// The sleeping flows.
class Sleepers {
 public:
  void clear() noexcept {
    buckets_ = {};
    timers_.clear();
    with_second_.clear();
  }
  void add(Sleeper& sleeper) {
    Bucket& bucket = bucket_of(sleeper.word);
    sleeper.previous_ = bucket.last;
    sleeper.next_ = nullptr;
    (bucket.last != nullptr ? bucket.last->next_ : bucket.first) = &sleeper;
    bucket.last = &sleeper;
    if (sleeper.second != nullptr) with_second_.push_back(&sleeper);
    sleeper.place_ = Sleeper::kNone;
    if (sleeper.deadline.is_never()) return;
    timers_.push_back(nullptr);
    rise(timers_.size() - 1, sleeper);
  }
  void remove(Sleeper& sleeper) noexcept {
    Bucket& bucket = bucket_of(sleeper.word);
    (sleeper.previous_ != nullptr ? sleeper.previous_->next_ : bucket.first) = sleeper.next_;
    (sleeper.next_ != nullptr ? sleeper.next_->previous_ : bucket.last) = sleeper.previous_;
    if (sleeper.second != nullptr) std::erase(with_second_, &sleeper);
    if (sleeper.place_ == Sleeper::kNone) return;
    Sleeper& last = *timers_.back();
    timers_.pop_back();
    if (&last == &sleeper) return;
    rise(sleeper.place_, last);
    sink(last.place_, last);
  }
  /// Appends those that sleep on the word, in the order in which they fell asleep; then those for which it is the
  /// second one.
  void collect(const void* word, std::vector<Sleeper*>& found) {
    for (Sleeper* one = bucket_of(word).first; one != nullptr; one = one->next_)
      if (one->word == word) found.push_back(one);
    for (Sleeper* one : with_second_)
      if (one->second == word) found.push_back(one);
  }
  bool has_deadlines() const noexcept { return !timers_.empty(); }
  /// The one with the earliest deadline; of several, the one with the lowest number.
  Sleeper& earliest() const noexcept { return *timers_.front(); }

 private:
  struct Bucket {
    Sleeper* first = nullptr;
    Sleeper* last = nullptr;
  };
  static constexpr std::size_t kBuckets = 64;

  Bucket& bucket_of(const void* word) noexcept {
    return buckets_[(reinterpret_cast<std::uintptr_t>(word) / 64 * 0x9E3779B97F4A7C15u >> 32) % kBuckets];
  }
  static bool is_earlier(const Sleeper& a, const Sleeper& b) noexcept {
    return a.deadline < b.deadline || (a.deadline == b.deadline && a.number < b.number);
  }
  void put(std::size_t place, Sleeper& sleeper) noexcept {
    timers_[place] = &sleeper;
    sleeper.place_ = place;
  }
  // A binary heap.
  void rise(std::size_t place, Sleeper& sleeper) noexcept {
    for (; place > 0 && is_earlier(sleeper, *timers_[(place - 1) / 2]); place = (place - 1) / 2)
      put(place, *timers_[(place - 1) / 2]);
    put(place, sleeper);
  }
  void sink(std::size_t place, Sleeper& sleeper) noexcept {
    for (;;) {
      std::size_t child = 2 * place + 1;
      if (child + 1 < timers_.size() && is_earlier(*timers_[child + 1], *timers_[child])) ++child;
      if (child >= timers_.size() || !is_earlier(*timers_[child], sleeper)) break;
      put(place, *timers_[child]);
      place = child;
    }
    put(place, sleeper);
  }

  std::array<Bucket, kBuckets> buckets_{};
  std::vector<Sleeper*> timers_;
  std::vector<Sleeper*> with_second_;  // few: only explorations have some
};

}  // namespace tg::inline v0::sim

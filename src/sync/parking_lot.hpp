// SPDX-License-Identifier: Apache-2.0
// The waiters of primitives: a table of queues, by the address of the primitive.
//
// Invariants
//   Z1. `linked_` of an entry is true exactly while the entry is in the list of its key. The lock of the key's
//       bucket guards both.
//   Z3. A releaser claims an entry, unlinks it and changes the primitive's state in one critical section, the
//       same one in which a new entry is validated and linked. So a releaser that changes the state after an
//       entry was validated sees that entry.
//
// README.md explains why no wake-up is lost.
#pragma once

#include <cstddef>
#include <cstdint>

#include <threadgroup/detail/annotations.hpp>
#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

#include "event/event.hpp"
#include "runtime/engine.hpp"
#include "sync/waiter.hpp"

namespace tg::inline v0::detail {

/// The kinds of queues. At most eight, the alignment of primitives: a key is an address plus a kind.
enum class ParkingQueue : std::uint8_t { mutex, condition, semaphore, latch, barrier };

/// Identifies the queue of one primitive. Two kinds of primitives never share a key, not even if one is made at
/// the address of the other: a late releaser of the first finds no waiters of the second.
class ParkingKey {
 public:
  /// Requires: the primitive is aligned to eight bytes.
  ParkingKey(const void* primitive, ParkingQueue queue) noexcept
      : value_(reinterpret_cast<std::uintptr_t>(primitive) + static_cast<std::uintptr_t>(queue)) {}
  friend bool operator==(ParkingKey, ParkingKey) = default;
  std::uintptr_t value() const noexcept { return value_; }

 private:
  std::uintptr_t value_;
};

/// One thing that a waiter waits for, on the waiter's stack. Primitives derive from it to add data.
class ParkingEntry {
 public:
  /// `number` is what `served_case` says if the waiter is served through this entry.
  ParkingEntry(Waiter& waiter, ParkingKey key, std::uint32_t number = 0) noexcept
      : waiter_(waiter), key_(key), number_(number) {}
  ParkingEntry(const ParkingEntry&) = delete;
  ParkingEntry& operator=(const ParkingEntry&) = delete;

 private:
  friend class ParkingLot;
  Waiter& waiter_;
  const ParkingKey key_;
  const std::uint32_t number_;

  // Guarded by the lock of the key's bucket; after the claim, the releaser's.
  bool linked_ = false;
  ParkingEntry* previous_ = nullptr;  // of the same key; null: it is the first
  ParkingEntry* next_ = nullptr;
  ParkingEntry* last_ = nullptr;        // of the first of a key: the last one
  ParkingEntry* next_first_ = nullptr;  // of the first of a key: the first of another key
};

/// The queues of all primitives, by key: a primitive needs no memory for its waiters, so a `Mutex` has eight
/// bytes. This is the parking lot of WebKit (F. Pizlo, "Locking in WebKit", 2016), which Rust's `parking_lot`
/// adopted. Here a waiter may be in several queues at a time, is stopped by events, and is claimed
/// before it is woken.
///
///     Waiter waiter(Flow::current());                       // the waiter
///     ParkingEntry entry(waiter, key);
///     if (!lot.link(entry, [&] { return state == kHeld; })) continue;     // look again
///     if (waiter.wait(event, deadline) != WaitOutcome::ready) lot.unlink(entry);
///
///     lot.release_one(key, [&](ParkingEntry* served, bool more) { state = more ? kWaitedFor : kFree; });
///
/// Requires: the callables are the library's own code, short, and take no lock.
/// Guarantees: waiters of one key are served in the order of their linking. Flows are woken after the lock was
/// released. Nothing here allocates memory or throws.
/// Thread safety: everything from any thread. Each engine has a lot of its own.
/// Memory ordering: what comes before a release happens before the return of the `wait` that it ends; and the
/// critical sections of one key are ordered.
class ParkingLot {
 public:
  static ParkingLot& instance() noexcept {
    return runtime::part_of_caller(of_process_, runtime::Engine::Part::parking);
  }
  /// The lot of an engine.
  ParkingLot();
  ParkingLot(const ParkingLot&) = delete;
  ParkingLot& operator=(const ParkingLot&) = delete;

  enum class Where : std::uint8_t { back, front };
  /// Links the entry if `validate()` returns true; it is called under the lock, and returns whether the caller
  /// must wait. Returns what it returned. `front`: for a waiter that has waited before.
  bool link(ParkingEntry& entry, FunctionRef<bool()> validate, Where where = Where::back) noexcept;
  /// Unlinks the entry if it is linked. Afterwards no other flow touches it, if the waiter was claimed by itself
  /// or has been released.
  void unlink(ParkingEntry& entry) noexcept;

  /// Serves the first waiter of the key that can be claimed. `finish` is called under the lock: `served` is its
  /// entry, or null, and `more` says whether entries are left.
  /// Returns whether one was served.
  bool release_one(ParkingKey key, FunctionRef<void(ParkingEntry* served, bool more)> finish) noexcept;
  /// Serves all waiters of the key. Returns how many.
  std::size_t release_all(ParkingKey key) noexcept;

  enum class Choice : std::uint8_t { serve, skip, end };
  /// Goes through the entries of the key in their order. `choose` says what to do with each; an entry that is to
  /// be served may turn out to be claimed already, and is skipped. `serve` is called for each entry that is
  /// served, `finish` at the end, all of them under the lock. Returns how many were served.
  std::size_t release(ParkingKey key, FunctionRef<Choice(ParkingEntry&)> choose,
                      FunctionRef<void(ParkingEntry&)> serve, FunctionRef<void(bool more)> finish) noexcept;

  /// Calls `f(entry)` for each entry of the key, in their order and under the lock.
  void look(ParkingKey key, FunctionRef<void(const ParkingEntry&)> f) noexcept;

  /// Forgets all waiters: in a forked child they are the parent's.
  void forget() noexcept;
  static void register_it();

 private:
  struct alignas(64) Bucket {
    Mutex mutex;
    ParkingEntry* first TG_GUARDED_BY(mutex) = nullptr;  // of the first key
  };
  // The time to find a queue grows with the keys in its bucket, not with their waiters. So these are enough for
  // tens of thousands of primitives with waiters at one time, and the table need not grow.
  // Explorations have one: which keys share a bucket must not depend on addresses.
  static constexpr std::size_t kBuckets = runtime::kIsExplored ? 1 : 1024;
  static constexpr std::size_t kBucketsOfEngine = 256;

  constexpr ParkingLot(Bucket* buckets, std::size_t count) noexcept : buckets_(buckets), count_(count) {}
  Bucket& bucket_of(ParkingKey key) const noexcept {
    // Fibonacci hashing: D. Knuth, "The Art of Computer Programming", volume 3, section 6.4.
    return buckets_[(key.value() * 0x9E3779B97F4A7C15u >> 32) % count_];
  }
  static ParkingEntry* find_locked(Bucket& bucket, ParkingKey key) noexcept TG_REQUIRES(bucket.mutex);
  static void link_locked(Bucket& bucket, ParkingEntry& entry, Where where) noexcept
      TG_REQUIRES(bucket.mutex);
  static void unlink_locked(Bucket& bucket, ParkingEntry& entry) noexcept TG_REQUIRES(bucket.mutex);

  static Bucket buckets_of_process_[kBuckets];
  static ParkingLot of_process_;

  Bucket* const buckets_;
  const std::size_t count_;
};

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// The part of a channel that does not depend on the type of its items: the ring, and the queues of waiters.
#pragma once

#include <cstddef>
#include <cstdint>

#include <threadgroup/detail/annotations.hpp>
#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg::inline v0::detail {

class ChannelCore;
class ChannelWait;
class Waiter;

/// One operation that a flow wants to do on a channel, on the flow's stack: send an item or receive one.
class TG_EXPORT ChannelCase {
 public:
  enum class Kind : std::uint8_t { send, receive };
  /// A sender's constructs the item at the address, and returns true. A receiver's takes the item from the
  /// address and destroys what is left there; it returns false if the sender failed to construct one. Neither
  /// throws. No lock is held, and it may run on the flow at the other end of the channel.
  using Move = FunctionRef<bool(void* item)>;

  /// `room` is where a receiver can be given an item; null for a sender.
  ChannelCase(ChannelCore& channel, Kind kind, Move move, void* room) noexcept
      : channel_(&channel), kind_(kind), move_(move), room_(room) {}

  ChannelCore& channel() const noexcept { return *channel_; }

 private:
  friend class ChannelCore;
  friend class ChannelWait;
  ChannelCore* channel_;
  Kind kind_;
  Move move_;
  void* room_;

  // Used while the case waits. Guarded by the channel's lock; after the claim they belong to the releaser.
  Waiter* waiter_ = nullptr;
  ChannelCase* previous_ = nullptr;
  ChannelCase* next_ = nullptr;
  std::uint64_t ticket_ = 0;  // its place in the queue, which it keeps if it has to wait again
  std::uint32_t number_ = 0;  // of the waiter's cases
  bool is_linked_ = false;
  // E3: it has waited for long. Only its own flow accesses it; others see `Queue::hungry`.
  bool is_hungry_ = false;
  bool has_met_ = false;  // the item was handed over; else it was only woken
};

/// The part of `tg::Channel` that does not depend on the type of the items.
///
/// `src/sync/README.md` explains the protocol.
///
/// Requires: no thread uses it when it is destroyed, and it is empty.
/// Thread safety: everything from any thread.
class TG_EXPORT ChannelCore {
 public:
  using Kind = ChannelCase::Kind;
  using Move = ChannelCase::Move;

  ChannelCore(std::size_t capacity, std::size_t item_bytes, std::size_t item_alignment);
  ~ChannelCore();
  ChannelCore(const ChannelCore&) = delete;
  ChannelCore& operator=(const ChannelCore&) = delete;

  /// Waits until the case is done.
  WaitOutcome wait(Kind kind, Move move, void* room, Duration timeout);

  enum class Attempt : std::uint8_t { done, blocked, closed };
  Attempt attempt(Kind kind, Move move, void* room);

  void close() noexcept;
  /// Takes all items out: for the destructor, also in a forked child. Reports flows that wait.
  void drain(Move take_one) noexcept {
    if ((waiting_.load(std::memory_order_relaxed) & (kSendersWait | kReceiversWait)) != 0) [[unlikely]]
      check_destruction();
    while (capacity_ > 0 && take(take_one, true) == Attempt::done) {
    }
  }
  bool is_closed() const noexcept;
  std::size_t size() const noexcept;
  std::size_t capacity() const noexcept { return capacity_; }
  /// Throws `ForkedError` in a process forked from the one that made it.
  void check_process() const;
  /// Flows that link cases of several channels do so in the order of these numbers.
  std::uint64_t number() const noexcept { return number_; }

 private:
  friend class ChannelWait;
  struct Queue {
    ChannelCase* first = nullptr;
    ChannelCase* last = nullptr;
    std::uint64_t tickets = 0;
    std::size_t woken = 0;   // those that were woken and have not tried yet
    std::size_t hungry = 0;  // E3
  };
  struct Slot {
    Atomic<std::uint64_t> stamp;  // atomic: says who owns the slot next (E1)
  };

  // The ring.
  TG_LOCAL Attempt put(Move move, bool first) noexcept;
  Attempt take(Move move, bool first) noexcept;
  TG_LOCAL bool may_put() const noexcept;
  TG_LOCAL bool may_take() const noexcept;
  TG_LOCAL std::uint64_t after(std::uint64_t position) const noexcept;
  TG_LOCAL Slot& slot(std::uint64_t position) const noexcept;
  TG_LOCAL void* item(Slot& slot) const noexcept;
  // A rendezvous.
  TG_LOCAL Attempt meet(Kind kind, Move move, void* room) noexcept;

  // The waiters.
  TG_LOCAL bool becomes_possible_soon(Kind kind, Duration timeout) const noexcept;
  TG_LOCAL Attempt attempt(ChannelCase& mine, bool first) noexcept;
  TG_LOCAL bool link(ChannelCase& mine) noexcept;
  TG_LOCAL void unlink(ChannelCase& mine) noexcept;
  TG_LOCAL void arrive(ChannelCase& mine, bool has_waited_long) noexcept;
  TG_LOCAL void leave(ChannelCase& mine) noexcept;
  TG_LOCAL void after_step() noexcept;
  void check_destruction() const noexcept;
  TG_LOCAL void wake_next() noexcept;
  Queue& queue(Kind kind) noexcept TG_REQUIRES(mutex_) { return kind == Kind::send ? senders_ : receivers_; }
  TG_LOCAL void link_locked(ChannelCase& mine) noexcept TG_REQUIRES(mutex_);
  TG_LOCAL void unlink_locked(ChannelCase& mine) noexcept TG_REQUIRES(mutex_);
  TG_LOCAL ChannelCase* claim_first_locked(Kind kind) noexcept TG_REQUIRES(mutex_);
  TG_LOCAL void announce_locked() noexcept TG_REQUIRES(mutex_);
  TG_LOCAL std::size_t possible_steps(Kind kind) const noexcept;

  // Constant.
  const std::uint64_t number_;  // of all channels: the order in which a waiter links its cases
  const std::size_t capacity_;
  const std::uint64_t closed_bit_;  // of `tail_`; the bits below it are the index of a slot
  const std::uint64_t one_lap_;     // the bits from it on count the rounds
  const std::size_t item_offset_;
  const std::size_t slot_bytes_;
  const std::size_t alignment_;
  const std::uint32_t generation_;  // of the process that made it
  std::byte* slots_ = nullptr;

  static constexpr std::uint32_t kSendersWait = 1;
  static constexpr std::uint32_t kReceiversWait = 2;
  static constexpr std::uint32_t kSendersQueue = 4;    // E3: no sender overtakes
  static constexpr std::uint32_t kReceiversQueue = 8;  // the same for receivers

  // Each on a cache line of its own: senders write the first, receivers the second, and waiters the third.
  alignas(64) Atomic<std::uint64_t> tail_{0};     // atomic: senders compete for it
  alignas(64) Atomic<std::uint64_t> head_{0};     // atomic: receivers compete for it
  alignas(64) Atomic<std::uint32_t> waiting_{0};  // atomic: written under the lock, read without it (E2)
  Mutex mutex_;
  Queue senders_ TG_GUARDED_BY(mutex_);
  Queue receivers_ TG_GUARDED_BY(mutex_);
};

}  // namespace tg::inline v0::detail

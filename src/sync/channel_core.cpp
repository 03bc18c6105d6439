// SPDX-License-Identifier: Apache-2.0
// The ring, the rendezvous of a channel without one, and the queues of waiters.
//
// The ring is D. Vyukov's "Bounded MPMC queue" (2010) with the positions of crossbeam's array channel (2018),
// so that any capacity is possible and senders see the end in the word for which they compete: a position is a
// round and an index, and `tail_` has a bit for "closed".
//
// Invariants
//   E1. A slot whose stamp is the position `p` waits for the sender that gets `p`; one with `p + 1` holds the item
//       of that sender. The flow that has taken a position out of `tail_` or `head_` owns its slot until it
//       writes the next stamp. So items are moved without a lock.
//   E2. A flow that makes a step possible (by a stamp, a position, or closing) looks at `waiting_` afterwards; one
//       that waits first announces itself there and then looks whether its step is possible. A woken flow that
//       does not do its step, or leaves another one possible, wakes the next waiter. So no flow sleeps while
//       its step is possible and no other flow is on the way to it.
//   E3. A waiter that was woken and overtaken, and has waited for a millisecond, is hungry. While there is one, no
//       flow of its side overtakes the queue. So none starves, and before that millisecond items need not be
//       handed over, which would cost a wake-up for each. WebKit's lock (F. Pizlo, "Locking in WebKit",
//       2016) and Go's mutex do the same.
#include <threadgroup/detail/channel_core.hpp>

#include <algorithm>
#include <bit>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>

#include <threadgroup/detail/fork_generation.hpp>
#include <threadgroup/errors.hpp>

#include "base/planted.hpp"
#include "event/callers_task.hpp"
#include "runtime/engine.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/wait_briefly.hpp"
#include "sync/channel_wait.hpp"
#include "sync/sync_note.hpp"
#include "sync/waiter.hpp"

namespace tg::inline v0::detail {

namespace {
constinit Atomic<std::uint64_t> channels_made{0};  // atomic: any thread may make one

// A yield takes a time slice, some milliseconds, if a third thread computes on the processor. A shorter time-out would
// be over before the flow looks again.
constexpr Duration kLongEnoughToYield = Duration::from_nanos(5'000'000);

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

std::size_t checked(std::size_t capacity) {
  if (capacity <= std::numeric_limits<std::uint32_t>::max()) return capacity;
  throw std::length_error("tg::Channel: a capacity of " + std::to_string(capacity) + " items");
}

std::size_t round_up(std::size_t n, std::size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Each schedule of an exploration begins with the same number.
[[gnu::constructor(runtime::at_load::kLeaves)]] void channels_at_load() {
  runtime::at_fork(nullptr, nullptr, [] { channels_made.store(0, std::memory_order_relaxed); });
}

ChannelCase::Kind other(ChannelCase::Kind kind) noexcept {
  return kind == ChannelCase::Kind::send ? ChannelCase::Kind::receive : ChannelCase::Kind::send;
}
}  // namespace

ChannelCore::ChannelCore(std::size_t capacity, std::size_t item_bytes, std::size_t item_alignment)
    : number_(channels_made.fetch_add(1, std::memory_order_relaxed)),
      capacity_(checked(capacity)),
      closed_bit_(std::bit_ceil(std::uint64_t{capacity_} + 1)),
      one_lap_(closed_bit_ * 2),
      item_offset_(round_up(sizeof(Slot), item_alignment)),
      slot_bytes_(round_up(item_offset_ + item_bytes, std::max(item_alignment, alignof(Slot)))),
      alignment_(std::max(item_alignment, alignof(Slot))),
      generation_(runtime::fork_generation()) {
  if (capacity > kUnlimited / 2 / slot_bytes_) throw std::bad_array_new_length();
  if (capacity == 0) return;
  slots_ = static_cast<std::byte*>(::operator new (capacity* slot_bytes_, std::align_val_t{alignment_}));
  for (std::uint64_t i = 0; i < capacity; ++i) ::new (slots_ + i * slot_bytes_) Slot{i};
}

ChannelCore::~ChannelCore() {
  for (std::uint64_t i = 0; slots_ != nullptr && i < capacity_; ++i) slot(i).~Slot();
  ::operator delete (slots_, std::align_val_t{alignment_});
}

void ChannelCore::check_destruction() const noexcept {
  if (generation_ == runtime::fork_generation()) report_use_after_destruction("a tg::Channel");
}

void ChannelCore::check_process() const {
  if (generation_ == runtime::fork_generation()) [[likely]]
    return;
  throw ForkedError("tg::Channel: the channel was made before the fork; make a new one in the child process");
}

// --- The ring ------------------------------------------------------------------------------------------------

ChannelCore::Slot& ChannelCore::slot(std::uint64_t position) const noexcept {
  return *std::launder(reinterpret_cast<Slot*>(slots_ + (position & (closed_bit_ - 1)) * slot_bytes_));
}
void* ChannelCore::item(Slot& slot) const noexcept {
  return reinterpret_cast<std::byte*>(&slot) + item_offset_;
}
std::uint64_t ChannelCore::after(std::uint64_t position) const noexcept {
  const std::uint64_t index = position & (closed_bit_ - 1);
  return index + 1 < capacity_ ? position + 1 : position - index + one_lap_;
}

// The loads are sequentially consistent for E2; on x86 and ARMv8 they cost what acquiring ones do.
ChannelCore::Attempt ChannelCore::put(Move move, bool first) noexcept {
  if (!first && (waiting_.load(std::memory_order_relaxed) & kSendersQueue) != 0)
    return is_closed() ? Attempt::closed : Attempt::blocked;
  std::uint64_t position = tail_.load(std::memory_order_seq_cst);
  for (;;) {
    if ((position & closed_bit_) != 0) return Attempt::closed;
    Slot& mine = slot(position);
    if (mine.stamp.load(std::memory_order_seq_cst) == position) {
      if (!tail_.compare_exchange_weak(position, after(position), std::memory_order_seq_cst)) continue;
      move(item(mine));
      mine.stamp.store(position + 1, TG_PLANTED(channel_item_is_not_published)
                                         ? std::memory_order_relaxed
                                         : TG_ORDER(seq_cst, channel_stamp_is_not_ordered, release));
      after_step();
      return Attempt::done;
    }
    const std::uint64_t newest = tail_.load(std::memory_order_seq_cst);
    if (newest == position) return Attempt::blocked;
    position = newest;
  }
}

ChannelCore::Attempt ChannelCore::take(Move move, bool first) noexcept {
  if (!first && (waiting_.load(std::memory_order_relaxed) & kReceiversQueue) != 0) return Attempt::blocked;
  std::uint64_t position = head_.load(std::memory_order_seq_cst);
  for (;;) {
    Slot& mine = slot(position);
    if (mine.stamp.load(std::memory_order_seq_cst) == position + 1) {
      if (!head_.compare_exchange_weak(position, after(position), std::memory_order_seq_cst)) continue;
      const bool has_item = move(item(mine));
      mine.stamp.store(position + one_lap_, std::memory_order_seq_cst);
      after_step();
      if (has_item) return Attempt::done;
      position = head_.load(std::memory_order_seq_cst);
      continue;
    }
    const std::uint64_t newest = head_.load(std::memory_order_seq_cst);
    if (newest == position) break;
    position = newest;
  }
  // Senders that came before the closing still count in `tail_`.
  return tail_.load(std::memory_order_seq_cst) == (position | closed_bit_) ? Attempt::closed
                                                                           : Attempt::blocked;
}

bool ChannelCore::may_put() const noexcept {
  const std::uint64_t position = tail_.load(std::memory_order_seq_cst);
  return (position & closed_bit_) != 0 || slot(position).stamp.load(std::memory_order_seq_cst) == position;
}
bool ChannelCore::may_take() const noexcept {
  const std::uint64_t position = head_.load(std::memory_order_seq_cst);
  return slot(position).stamp.load(std::memory_order_seq_cst) == position + 1 ||
         tail_.load(std::memory_order_seq_cst) == (position | closed_bit_);
}

std::size_t ChannelCore::size() const noexcept {
  if (capacity_ == 0) return 0;
  // In this order the head is not ahead of the tail.
  const std::uint64_t head = head_.load(std::memory_order_seq_cst);
  const std::uint64_t tail = tail_.load(std::memory_order_seq_cst) & ~closed_bit_;
  const std::uint64_t rounds = tail / one_lap_ - head / one_lap_;
  const std::uint64_t items = rounds * capacity_ + tail % one_lap_ - head % one_lap_;
  return std::min<std::size_t>(items, capacity_);
}

bool ChannelCore::is_closed() const noexcept {
  return (tail_.load(std::memory_order_seq_cst) & closed_bit_) != 0;
}

// --- A rendezvous --------------------------------------------------------------------------------------------

// The flow that arrives second moves the item. The other one is claimed, so it stays.
ChannelCore::Attempt ChannelCore::meet(Kind kind, Move move, void* room) noexcept {
  for (;;) {
    ChannelCase* other_one = nullptr;
    {
      const MutexLock lock(mutex_);
      if (is_closed()) return Attempt::closed;
      other_one = claim_first_locked(other(kind));
      announce_locked();
    }
    if (other_one == nullptr) return Attempt::blocked;
    other_one->has_met_ = true;
    if (kind == Kind::send) {
      move(other_one->room_);
      other_one->waiter_->release();
      return Attempt::done;
    }
    other_one->move_(room);
    other_one->waiter_->release();
    if (move(room)) return Attempt::done;
  }
}

ChannelCore::Attempt ChannelCore::attempt(Kind kind, Move move, void* room) {
  check_process();
  if (capacity_ == 0) return meet(kind, move, room);
  return kind == Kind::send ? put(move, false) : take(move, false);
}

ChannelCore::Attempt ChannelCore::attempt(ChannelCase& mine, bool first) noexcept {
  if (capacity_ == 0) return meet(mine.kind_, mine.move_, mine.room_);
  first = first || mine.is_hungry_;
  return mine.kind_ == Kind::send ? put(mine.move_, first) : take(mine.move_, first);
}

// --- The waiters ------------------------------------------------------------------------------------------

// Waits a little before the flow announces itself, because after that each step of the other side takes a lock. If
// the flow that last woke this one runs on the same processor, this one yields: the other can then do all its steps
// at once, with two context switches for each filling of the ring, and no wake-up. Otherwise this flow spins for
// some 2 us. It looks only at every tenth turn: if it looked all the time, both sides would keep pace, and the cache
// line would move between them for each item.
bool ChannelCore::becomes_possible_soon(Kind kind, Duration timeout) const noexcept {
  if constexpr (runtime::kIsExplored) return false;  // one point less
  if (capacity_ == 0) return false;
  const auto is_possible = [this, kind] { return kind == Kind::send ? may_put() : may_take(); };
  runtime::Flow* const me = runtime::Flow::current_if_any();
  if (me != nullptr && me->waker_was_here()) {
    if (timeout > kLongEnoughToYield) me->let_waker_run();
    return is_possible();
  }
  int looks = 0;
  bool possible = false;
  runtime::wait_briefly([&] { return ++looks % 10 == 0 && (possible = is_possible()); });
  return possible;
}

WaitOutcome ChannelCore::wait(Kind kind, Move move, void* room, Duration timeout) {
  Event* const event = event_of_caller();
  if (is_set(event)) return WaitOutcome::event_set;
  const Attempt end = attempt(kind, move, room);
  if (end == Attempt::done) return WaitOutcome::ready;
  if (end == Attempt::closed) return WaitOutcome::closed;
  if (timeout <= Duration()) return WaitOutcome::timed_out;
  const TimePoint deadline = runtime::after(timeout);
  if (becomes_possible_soon(kind, timeout) && attempt(kind, move, room) == Attempt::done)
    return WaitOutcome::ready;
  ChannelCase mine(*this, kind, move, room);
  return wait_for_case(mine, event, deadline);
}

// Links the case, unless its step is possible.
bool ChannelCore::link(ChannelCase& mine) noexcept {
  const MutexLock lock(mutex_);
  if (capacity_ == 0) {
    if (is_closed()) return false;
    // The flow that links second sees the other one. That one may have been claimed, but then the next attempt
    // unlinks it.
    for (const ChannelCase* it = queue(other(mine.kind_)).first; it != nullptr; it = it->next_)
      if (it->waiter_ != mine.waiter_) return false;
    link_locked(mine);
    announce_locked();
    return true;
  }
  link_locked(mine);
  announce_locked();
  const bool sends = mine.kind_ == Kind::send;
  if (TG_PLANTED(channel_links_without_second_look)) return true;
  // Behind a hungry waiter this one waits in order. The hungry one is linked or on its way, and wakes it later.
  const Queue& mine_and_others = queue(mine.kind_);
  if (mine_and_others.hungry > 0 && !mine.is_hungry_) return true;
  if (sends ? !may_put() : !may_take()) return true;
  unlink_locked(mine);
  announce_locked();
  return false;
}

void ChannelCore::unlink(ChannelCase& mine) noexcept {
  const MutexLock lock(mutex_);
  if (!mine.is_linked_) return;
  unlink_locked(mine);
  announce_locked();
}

// The case was woken, and is about to be tried.
void ChannelCore::arrive(ChannelCase& mine, bool has_waited_long) noexcept {
  const MutexLock lock(mutex_);
  Queue& mine_and_others = queue(mine.kind_);
  --mine_and_others.woken;
  if (!has_waited_long || mine.is_hungry_ || TG_PLANTED(channel_waiter_is_never_hungry)) return;
  mine.is_hungry_ = true;
  ++mine_and_others.hungry;
  announce_locked();
}

// The case no longer waits. If it was woken and its step is still possible, the next waiter is woken for it.
void ChannelCore::leave(ChannelCase& mine) noexcept {
  if (capacity_ == 0) return;
  if (mine.is_hungry_) {  // only its own flow changes that
    const MutexLock lock(mutex_);
    mine.is_hungry_ = false;
    --queue(mine.kind_).hungry;
    announce_locked();
  }
  if (!TG_PLANTED(channel_waiter_leaves_no_next)) after_step();
}

void ChannelCore::after_step() noexcept {
  if ((waiting_.load(std::memory_order_seq_cst) & (kSendersWait | kReceiversWait)) != 0) [[unlikely]]
    wake_next();
}

// How many senders, or receivers, could do their step now.
std::size_t ChannelCore::possible_steps(Kind kind) const noexcept {
  if (kind == Kind::send ? !may_put() : !may_take()) return 0;
  if (is_closed()) return kUnlimited;
  const std::size_t items = size();
  return std::max<std::size_t>(kind == Kind::send ? capacity_ - items : items, 1);
}

void ChannelCore::wake_next() noexcept {
  // A forked child comes here from `drain` alone: the waiters, and maybe the holder of the lock, are the parent's.
  if (generation_ != runtime::fork_generation()) return;
  ChannelCase* woken[2] = {};
  {
    const MutexLock lock(mutex_);
    for (const Kind kind : {Kind::send, Kind::receive}) {
      Queue& waiting = queue(kind);
      if (waiting.first == nullptr || waiting.woken >= possible_steps(kind)) continue;
      ChannelCase* const next = claim_first_locked(kind);
      if (next != nullptr) ++waiting.woken;
      woken[kind == Kind::send ? 0 : 1] = next;
    }
    announce_locked();
  }
  for (ChannelCase* const one : woken)
    if (one != nullptr) one->waiter_->release();
}

void ChannelCore::close() noexcept {
  ChannelCase* woken = nullptr;
  {
    const MutexLock lock(mutex_);
    tail_.fetch_or(closed_bit_, std::memory_order_seq_cst);
    for (const Kind kind : {Kind::send, Kind::receive}) {
      while (ChannelCase* const next = claim_first_locked(kind)) {
        ++queue(kind).woken;
        next->next_ = woken;
        woken = next;
      }
    }
    announce_locked();
  }
  while (woken != nullptr) {
    ChannelCase* const next = woken->next_;
    woken->waiter_->release();
    woken = next;
  }
}

void ChannelCore::link_locked(ChannelCase& mine) noexcept {
  Queue& waiting = queue(mine.kind_);
  if (mine.ticket_ == 0) mine.ticket_ = ++waiting.tickets;
  ChannelCase* previous = waiting.last;
  while (previous != nullptr && previous->ticket_ > mine.ticket_) previous = previous->previous_;
  mine.previous_ = previous;
  mine.next_ = previous != nullptr ? previous->next_ : waiting.first;
  (mine.previous_ != nullptr ? mine.previous_->next_ : waiting.first) = &mine;
  (mine.next_ != nullptr ? mine.next_->previous_ : waiting.last) = &mine;
  mine.is_linked_ = true;
}

void ChannelCore::unlink_locked(ChannelCase& mine) noexcept {
  Queue& waiting = queue(mine.kind_);
  (mine.previous_ != nullptr ? mine.previous_->next_ : waiting.first) = mine.next_;
  (mine.next_ != nullptr ? mine.next_->previous_ : waiting.last) = mine.previous_;
  mine.is_linked_ = false;
}

// A waiter that was claimed already no longer waits; it would unlink its case itself.
ChannelCase* ChannelCore::claim_first_locked(Kind kind) noexcept {
  while (ChannelCase* const first = queue(kind).first) {
    unlink_locked(*first);
    if (first->waiter_->claim(Waiter::kFirstCase + first->number_)) return first;
  }
  return nullptr;
}

void ChannelCore::announce_locked() noexcept {
  const std::uint32_t waiting =
      (senders_.first != nullptr ? kSendersWait : 0) | (receivers_.first != nullptr ? kReceiversWait : 0) |
      (senders_.hungry > 0 ? kSendersQueue : 0) | (receivers_.hungry > 0 ? kReceiversQueue : 0);
  if (waiting_.load(std::memory_order_relaxed) != waiting) waiting_.store(waiting, std::memory_order_seq_cst);
}

}  // namespace tg::inline v0::detail

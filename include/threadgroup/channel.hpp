// SPDX-License-Identifier: Apache-2.0
// A queue through which tasks hand items to each other.
#pragma once

#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/channel_core.hpp>
#include <threadgroup/detail/current_failure.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg {
inline namespace v0 {

namespace detail {

/// How a channel stores an item: directly, or behind a pointer if moving it may throw. So moving a stored item
/// never throws.
template <class T>
struct ChannelItem {
  static constexpr bool kIsBoxed =
      !std::is_nothrow_move_constructible_v<T> || !std::is_nothrow_destructible_v<T>;
  using Kept = std::conditional_t<kIsBoxed, std::unique_ptr<T>, T>;

  /// Constructs it at the address. If that throws, there is a null pointer, and the exception is kept.
  static void put(void* at, T&& value, std::exception_ptr& error) noexcept {
    if constexpr (kIsBoxed) {
      auto* const kept = ::new (at) Kept();
      try {
        *kept = std::make_unique<T>(std::move(value));
      } catch (...) {
        error = current_failure();
      }
    } else {
      ::new (at) Kept(std::move(value));
    }
  }
  /// Passes the item to `use`, and destroys it at the address. False if there is none.
  template <class Use>
  static bool take(void* at, Use use, std::exception_ptr& error) noexcept {
    auto* const kept = std::launder(static_cast<Kept*>(at));
    bool has_item = true;
    try {
      if constexpr (kIsBoxed) {
        const std::unique_ptr<T> box = std::move(*kept);
        kept->~Kept();
        has_item = box != nullptr;
        if (has_item) use(std::move(*box));
      } else {
        struct Guard {
          Kept* kept;
          ~Guard() { kept->~Kept(); }
        } const guard{kept};
        use(std::move(*kept));
      }
    } catch (...) {
      error = current_failure();
    }
    return has_item;
  }
};

}  // namespace detail

/// A bounded queue between any number of sending and receiving threads.
///
///     tg::Channel<Page> pages(64);
///     group.post([&] { while (auto page = fetch()) if (pages.send(*page) != tg::WaitOutcome::ready) return; pages.close(); });
///     for (Page& page : pages) index(page);  // ends when the channel is closed and empty, or the caller is stopped
///
/// A sender waits while `capacity` items are in the channel, a receiver while there are none. A channel of
/// capacity 0 stores nothing: a sender and a receiver meet, and the item passes directly between them (rendezvous).
///
/// Requires: items can be moved.
/// Guarantees:
/// - Each item is received once. The items of one sender arrive in the order in which it sent them.
/// - Waiting threads are served in order, and none starves; a running thread may overtake a waiter that has
///   waited for less than about a millisecond.
/// - A wait ends when an event that covers the caller is set. A stopped caller neither sends nor receives, even
///   if it could at once; but an item that was handed over at the moment of the stop counts, and the call
///   returns `ready`. So nothing is lost or duplicated.
/// - After `close`, senders get `closed` and receivers what is left, then `closed`.
/// - Items are moved and destroyed while no lock is held, by the sender or the receiver. If moving an item in
///   throws, the sender gets the exception and nothing was sent, but the slot that it took becomes free only when
///   a receiver skips it. If moving it out throws, the receiver gets the exception, and the item is lost.
/// Thread safety: everything from any thread. A task that waits keeps its slot.
/// Memory ordering: what comes before a `send` happens before the return of the call that receives the item.
/// Lifetime: no thread uses it when it is destroyed, which destroys the remaining items; if one waits, that is
/// reported on stderr, and fails a simulation. In a forked child an inherited one throws `ForkedError`.
template <class T>
class Channel {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a Channel holds objects that can be moved");
  using Item = detail::ChannelItem<T>;
  using Kind = detail::ChannelCase::Kind;

 public:
  using value_type = T;  ///< what the channel carries

  /// A channel with room for this many items. Throws `std::bad_alloc`, or `std::length_error` if the
  /// capacity is 2^32 or more.
  explicit Channel(std::size_t capacity)
      : core_(capacity, sizeof(typename Item::Kept), alignof(typename Item::Kept)) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  /// Destroys the items that are left.
  ~Channel() {
    core_.drain([](void* at) { return drop(at); });
  }

  /// Sends the value, and waits for room up to the time-out. Returns `ready`, `closed`, `event_set` if the
  /// caller is stopped, or `timed_out`. The value is moved from only if it returns `ready`.
  WaitOutcome send(T&& value, Duration timeout = Duration::max()) {
    std::exception_ptr error;
    const WaitOutcome outcome = core_.wait(
        Kind::send, [&](void* at) { return Item::put(at, std::move(value), error), true; }, nullptr, timeout);
    if (error) std::rethrow_exception(error);
    return outcome;
  }
  /// Sends a copy.
  WaitOutcome send(const T& value, Duration timeout = Duration::max()) {
    T copy(value);
    return send(std::move(copy), timeout);
  }

  /// Receives an item into `into`, and waits for one up to the time-out. Returns `ready`; `closed` if the
  /// channel is closed and empty; `event_set` if the caller is stopped; or `timed_out`. `into` is assigned to
  /// only if it returns `ready`.
  WaitOutcome receive(T& into, Duration timeout = Duration::max()) {
    return receive_by([&](T&& item) { into = std::move(item); }, timeout);
  }
  /// Receives an item. Nothing if the channel is closed and empty, or the caller is stopped.
  std::optional<T> receive() {
    std::optional<T> item;
    static_cast<void>(receive_by([&](T&& it) { item.emplace(std::move(it)); }, Duration::max()));
    return item;
  }

  /// Sends the value if that is possible at once: there is room and no other sender waits for it, or a
  /// receiver waits. The value is moved from only if it returns true.
  bool try_send(T&& value) {
    std::exception_ptr error;
    const auto end = core_.attempt(
        Kind::send, [&](void* at) { return Item::put(at, std::move(value), error), true; }, nullptr);
    if (error) std::rethrow_exception(error);
    return end == detail::ChannelCore::Attempt::done;
  }
  /// The same with a copy.
  bool try_send(const T& value) {
    T copy(value);
    return try_send(std::move(copy));
  }
  /// Receives an item if that is possible at once.
  std::optional<T> try_receive() {
    std::optional<T> item;
    std::exception_ptr error;
    Room room;
    core_.attempt(
        Kind::receive,
        [&](void* at) {
          return Item::take(
              at, [&](T&& it) { item.emplace(std::move(it)); }, error);
        },
        room.bytes);
    if (error) std::rethrow_exception(error);
    return item;
  }

  /// Refuses further items, and wakes all waiting threads. Closing twice is harmless.
  void close() {
    core_.check_process();
    core_.close();
  }
  /// True after `close`. Items may be left.
  bool is_closed() const noexcept { return core_.is_closed(); }
  /// How many items are in the channel, at some moment during the call.
  std::size_t size() const noexcept { return core_.size(); }
  /// How many items it has room for.
  std::size_t capacity() const noexcept { return core_.capacity(); }

  /// An input iterator over the items that this thread receives.
  class Iterator {
   public:
    using value_type = T;                              ///< what the range yields
    using difference_type = std::ptrdiff_t;            ///< required of iterators
    using iterator_concept = std::input_iterator_tag;  ///< the range can be read once
    /// Receives the first item.
    explicit Iterator(Channel& channel) : channel_(&channel), item_(channel.receive()) {}
    /// The current item, valid until the iterator is advanced.
    T& operator*() const noexcept { return *item_; }
    /// The current item, valid until the iterator is advanced.
    T* operator->() const noexcept { return &*item_; }
    /// Receives the next item.
    Iterator& operator++() {
      item_.reset();  // before the wait for the next one
      item_ = channel_->receive();
      return *this;
    }
    /// Receives the next item.
    void operator++(int) { ++*this; }
    /// True once the channel is closed and empty, or the caller is stopped.
    friend bool operator==(const Iterator& at, std::default_sentinel_t) noexcept {
      return !at.item_.has_value();
    }

   private:
    Channel* channel_;
    mutable std::optional<T> item_;
  };
  /// Receives the first item. Any number of threads may iterate at a time; each item goes to one of them.
  Iterator begin() { return Iterator(*this); }
  /// The end of the range.
  std::default_sentinel_t end() const noexcept { return {}; }

  /// For the library: the part that does not depend on the type.
  detail::ChannelCore& core() noexcept { return core_; }

 private:
  struct Room {
    alignas(typename Item::Kept) std::byte bytes[sizeof(typename Item::Kept)];
  };

  template <class Use>
  WaitOutcome receive_by(Use use, Duration timeout) {
    std::exception_ptr error;
    Room room;
    const WaitOutcome outcome = core_.wait(
        Kind::receive, [&](void* at) { return Item::take(at, use, error); }, room.bytes, timeout);
    if (error) std::rethrow_exception(error);
    return outcome;
  }
  static bool drop(void* at) noexcept {
    std::exception_ptr ignored;
    return Item::take(
        at, [](T&&) {}, ignored);
  }

  detail::ChannelCore core_;
};

}  // namespace v0
}  // namespace tg

// SPDX-License-Identifier: Apache-2.0
// Waiting for the first of several things.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <threadgroup/channel.hpp>
#include <threadgroup/detail/channel_core.hpp>
#include <threadgroup/detail/select_core.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/task_handle.hpp>
#include <threadgroup/thread_group.hpp>

namespace tg {
inline namespace v0 {

/// How a `select` ended.
struct Selected {
  /// `ready`: a case was chosen, and its function has run. `timed_out`: an `after` without a function was
  /// chosen. `closed`: a channel is closed, and no other case was possible. `event_set`: the caller is stopped.
  WaitOutcome outcome;
  /// The case in question, counted from 0, unless the outcome is `event_set`.
  std::size_t index;
  /// True if the function of a case has run.
  explicit operator bool() const noexcept { return outcome == WaitOutcome::ready; }
};

namespace detail {

struct NoFunction {
  void operator()() const noexcept {}
};

// Cases are made in the call of `select`, and stay where they are: the library keeps their addresses.
class CaseBase {
 public:
  CaseBase() = default;
  CaseBase(const CaseBase&) = delete;
  CaseBase& operator=(const CaseBase&) = delete;
  static constexpr WaitOutcome kOutcome = WaitOutcome::ready;
};

template <class T, class F>
class ReceiveCase : public CaseBase {
 public:
  ReceiveCase(Channel<T>& channel, F&& f)
      : f_(std::forward<F>(f)), case_(channel.core(), ChannelCase::Kind::receive, *this, room_) {}
  SelectItem item() { return SelectItem(case_); }
  bool operator()(void* at) {
    return ChannelItem<T>::take(
        at, [this](T&& item) { item_.emplace(std::move(item)); }, error_);
  }
  void run() {
    if (error_) std::rethrow_exception(error_);
    std::invoke(f_, std::move(*item_));
  }

 private:
  using Kept = typename ChannelItem<T>::Kept;
  F f_;
  std::optional<T> item_;
  std::exception_ptr error_;
  alignas(Kept) std::byte room_[sizeof(Kept)];
  ChannelCase case_;
};

// `V` is `T&&` for a value that stays the caller's unless it is sent, or `T` for a copy.
template <class T, class V, class F>
class SendCase : public CaseBase {
 public:
  SendCase(Channel<T>& channel, V value, F&& f)
      : value_(std::forward<V>(value)),
        f_(std::forward<F>(f)),
        case_(channel.core(), ChannelCase::Kind::send, *this, nullptr) {}
  SelectItem item() { return SelectItem(case_); }
  bool operator()(void* at) {
    ChannelItem<T>::put(at, std::move(value_), error_);
    return true;
  }
  void run() {
    if (error_) std::rethrow_exception(error_);
    std::invoke(f_);
  }

 private:
  V value_;
  F f_;
  std::exception_ptr error_;
  ChannelCase case_;
};

// `What` makes the item.
template <class What, class F, WaitOutcome outcome = WaitOutcome::ready>
class PlainCase : public CaseBase {
 public:
  PlainCase(What what, F&& f) : what_(what), f_(std::forward<F>(f)) {}
  static constexpr WaitOutcome kOutcome = outcome;
  SelectItem item() { return what_(); }
  void run() { std::invoke(f_); }

 private:
  What what_;
  F f_;
};

template <WaitOutcome outcome = WaitOutcome::ready, class What, class F>
auto plain_case(What what, F&& f) {
  return PlainCase<What, F, outcome>(what, std::forward<F>(f));
}

}  // namespace detail

/// A case of `select`: receives an item, and calls `f(T&&)` with it.
template <class T, class F>
auto receive_from(Channel<T>& channel, F&& f) {
  return detail::ReceiveCase<T, F>(channel, std::forward<F>(f));
}
/// A case of `select`: sends the value, and calls `f()`. The value is moved from only if this case is chosen.
template <class T, class F = detail::NoFunction>
auto send_to(Channel<T>& channel, std::type_identity_t<T>&& value, F&& f = {}) {
  return detail::SendCase<T, T&&, F>(channel, std::move(value), std::forward<F>(f));
}
/// A case of `select`: sends a copy of the value, and calls `f()`.
template <class T, class F = detail::NoFunction>
auto send_to(Channel<T>& channel, const std::type_identity_t<T>& value, F&& f = {}) {
  return detail::SendCase<T, T, F>(channel, value, std::forward<F>(f));
}
/// A case of `select`: is chosen when the descriptor can be read without blocking, or has an error or its end to
/// be read, and calls `f()`. `select` throws `std::invalid_argument` if the number is negative, and
/// `std::system_error` if it is not that of an open descriptor.
template <class F>
auto readable(int descriptor, F&& f) {
  return detail::plain_case(
      [=] {
        return detail::SelectItem(detail::SelectItem::Descriptor{descriptor, false});
      },
      std::forward<F>(f));
}
/// A case of `select`: the same for writing.
template <class F>
auto writable(int descriptor, F&& f) {
  return detail::plain_case(
      [=] {
        return detail::SelectItem(detail::SelectItem::Descriptor{descriptor, true});
      },
      std::forward<F>(f));
}
/// A case of `select`: is chosen when the time has passed since the call of `select`, and calls `f()`.
template <class F>
auto after(Duration time, F&& f) {
  return detail::plain_case([=] { return detail::SelectItem(time); }, std::forward<F>(f));
}
/// A case of `select`: a time-out. If it is chosen, `select` returns `timed_out`.
inline auto after(Duration time) {
  return detail::plain_case<WaitOutcome::timed_out>([=] { return detail::SelectItem(time); },
                                                    detail::NoFunction());
}
/// A case of `select`: is chosen when the task has ended, and calls `f()`. It does not take the result. `select`
/// throws as `TaskHandle::wait` does if the task cannot end while the caller waits.
template <class T, class F>
auto handle_done(const TaskHandle<T>& handle, F&& f) {
  detail::TaskSlot* const task = detail::SlotOf::get(handle);
  if (task == nullptr) detail::throw_no_task();
  return detail::plain_case([=] { return detail::SelectItem(*task); }, std::forward<F>(f));
}
/// A case of `select`: is chosen when the event of the group is set, and calls `f()`. For another group than the
/// caller's own, whose event ends each `select`.
template <class F>
auto when_event_set(const ThreadGroup& group, F&& f) {
  return detail::plain_case([event = &detail::event_of(group)] { return detail::SelectItem(*event); },
                            std::forward<F>(f));
}
/// A case of `select`: is chosen if no other case is possible at once, and calls `f()`. With it, `select` does not
/// wait.
template <class F>
auto otherwise(F&& f) {
  return detail::plain_case([] { return detail::SelectItem(); }, std::forward<F>(f));
}

/// Waits until one of the cases is possible, does it, and calls its function.
///
///     tg::select(tg::receive_from(orders, [&](Order&& order) { serve(order); }),
///                tg::send_to(replies, std::move(reply), [&] { next_reply(); }),
///                tg::after(5s, [&] { report(); }));
///
/// Guarantees:
/// - Exactly one case is done, once, or none: the others have received and sent nothing. Of several that are
///   possible, each may be chosen; where the search begins is random.
/// - The function runs on the calling thread, after the wait, while no lock is held. What it throws leaves `select`.
/// - A stopped caller does no case, as with `Channel`. What was handed over in the same moment is done, and its
///   function runs.
/// - If a channel is closed (and empty, for one that receives) and no other case is possible, `select` returns
///   `closed` with its index, and no function runs. In Go such a case is chosen again and again.
///
/// Requires: the cases are made in the call. No descriptors in a simulation: they throw `std::logic_error`.
/// Thread safety: from any thread. A task that waits keeps its slot.
template <class... Cases>
requires(sizeof...(Cases) > 0 && (std::derived_from<Cases, detail::CaseBase> && ...)) Selected
    select(Cases&&... cases) {
  std::array<detail::SelectItem, sizeof...(Cases)> items{cases.item()...};
  std::array<detail::ChannelCase*, sizeof...(Cases)> room{};
  const detail::SelectEnd end = detail::select_one(items, room);
  Selected selected{end.outcome, end.index};
  if (end.outcome != WaitOutcome::ready) return selected;
  std::size_t index = 0;
  const auto run = [&](auto& one) {
    if (index++ != end.index) return;
    selected.outcome = one.kOutcome;
    one.run();
  };
  (run(cases), ...);
  return selected;
}

}  // namespace v0
}  // namespace tg

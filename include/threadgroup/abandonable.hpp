// SPDX-License-Identifier: Apache-2.0
// Calls that cannot be stopped, on a thread that is left behind when their caller is stopped.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/abandonable_call.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/owning.hpp>
#include <threadgroup/options.hpp>

namespace tg {
inline namespace v0 {

/// Makes a call that no stop can end, such as one of a driver or of a library that blocks. It runs on another thread, and
/// the caller waits for it. If the caller is stopped meanwhile, it goes on at once, by the exception `Stopped`, and
/// the thread is left behind: the call is *abandoned*.
///
///     const tg::StopScope scope(2s);
///     const int level = tg::abandonable(tg::TaskName("fuel gauge"), read_level, std::string("/dev/gauge"));
///
/// A deadline is a `StopScope` around the call. Where nothing can stop the caller, outside of groups and scopes, the call
/// is made directly; and so is one that an abandonable call makes.
///
/// An abandoned call goes on until it returns. Then the thread destroys its arguments, its result or its exception.
/// Snapshots show the call and who has abandoned it (`ForestSnapshot::abandoned`), and so does a line on stderr at
/// the end of the process, which does not wait for it.
///
/// The call is no part of the caller's group, but it sees the caller's stop: its own event-aware calls return, and groups
/// that it makes are stopped. The task of the caller keeps its slot and its permits of `max_concurrent_in_subtree` while it
/// waits. A wait of the call for a group that waits for the call is refused, like a task's wait for its own group.
///
/// Requires: the call uses nothing but its arguments, and objects that live until the process ends.
/// The compiler enforces a part of that. `f` is a function, a pointer to a member, or a callable without state: what a
/// lambda would capture is passed as an argument. Arguments are copied or moved, as by `std::thread`. Neither they
/// nor the result may be a pointer, a reference, a `std::reference_wrapper`, a view (`std::string_view`, `std::span`),
/// a `std::initializer_list`, an iterator, a lock, or a container or smart pointer of those. A pointer inside another class is
/// not seen, unless the program says that it is there (`OwnsWhatItUses`).
///
/// Returns what `f` returns, and throws what it throws. Throws `Stopped` if the caller is stopped; if that was before the
/// call, `f` is not called. Otherwise a call that has ended counts, even if the stop came in the same
/// moment. Throws `std::system_error` or `std::bad_alloc` if there is no thread or no memory; then `f` was not called.
/// Where there is no memory for the text of `Stopped`, a stopped caller gets `std::bad_alloc` instead.
///
/// The name is shown in snapshots. Without one, it is that of the caller's task or scope.
///
/// At most 64 calls, abandoned ones included, run at a time (`set_max_abandonable_calls`). Further ones wait,
/// in order, and are not called if their callers are stopped. A call in a scope or group of another one, below it in the
/// tree, does not wait; one in a daemon group or in a group that was made elsewhere does, even if the other one waits for
/// it.
template <class F, class... Args>
auto abandonable(TaskName name, F&& f, Args&&... args) {
  using Call = detail::TypedAbandonableCall<std::decay_t<F>, std::decay_t<Args>...>;
  static_assert(
      detail::kHasNoState<std::decay_t<F>>,
      "tg::abandonable: the call may outlive its caller, so pass what it uses as arguments: the callable must be "
      "a function or a lambda without captures");
  static_assert(
      (detail::owns_what_it_uses<std::decay_t<Args>>() && ...),
      "tg::abandonable: the call may outlive its caller, and an argument is a pointer, a reference_wrapper, a "
      "view or an iterator: pass a value that owns what it refers to, such as std::string, std::vector or "
      "std::unique_ptr");
  static_assert(
      detail::owns_what_it_uses<typename Call::Result>(),
      "tg::abandonable: the result of an abandoned call is destroyed by its thread, so it must be a value "
      "that owns what it refers to, and not a pointer, a reference or a view");
  if (!detail::AbandonableCall::is_for_caller(name.value)) {
    return std::invoke(std::decay_t<F>(std::forward<F>(f)), std::decay_t<Args>(std::forward<Args>(args))...);
  }
  Call* const typed =
      runtime::InBlock::make<Call>(std::move(name.value), std::forward<F>(f), std::forward<Args>(args)...);
  std::unique_ptr<detail::AbandonableCall> call(typed);
  detail::AbandonableCall::run(call);
  return typed->take_result();
}

/// \overload
template <class F, class... Args>
requires(!std::same_as<std::remove_cvref_t<F>, TaskName>) auto abandonable(F&& f, Args&&... args) {
  return abandonable(TaskName(std::string()), std::forward<F>(f), std::forward<Args>(args)...);
}

/// How many calls of `abandonable` may run at a time in the process, abandoned ones included; 64 by default. If more
/// run already, they go on, and new ones wait. More than 2^31 - 1 means that. Throws `std::invalid_argument` for 0.
TG_EXPORT void set_max_abandonable_calls(std::size_t most);

}  // namespace v0
}  // namespace tg

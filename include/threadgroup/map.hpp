// SPDX-License-Identifier: Apache-2.0
// One function over all elements of a range, and a race between several functions.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <threadgroup/as_completed.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/input_range.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/results.hpp>
#include <threadgroup/source_location.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

namespace tg {
inline namespace v0 {

/// Some calls of a `map` failed. It is thrown after all calls have ended. The text names each failed one, and
/// `tasks` has the results of the others.
///
///     catch (const tg::MapFailures<Answer>& e) {
///       std::cerr << e.what();  // item 17 failed in group 'MainThread/g': no route (added at f.cpp:9)
///       for (const auto& task : e.tasks()) if (task.status() == tg::TaskStatus::succeeded) use(task.get());
///     }
///
/// `std::rethrow_if_nested` throws the first failure as itself.
template <class R>
class TG_EXPORT MapFailures : public FunctionFailures {
 public:
  /// For the library.
  MapFailures(const std::string& group, std::vector<Failure> failures, std::vector<TaskHandle<R>> tasks)
      : FunctionFailures("item", group, std::move(failures)),
        tasks_(std::make_shared<const std::vector<TaskHandle<R>>>(std::move(tasks))) {}
  /// The task of each element that was taken from the range, in that order.
  const std::vector<TaskHandle<R>>& tasks() const noexcept { return *tasks_; }

 private:
  std::shared_ptr<const std::vector<TaskHandle<R>>> tasks_;
};

namespace detail {
template <class Range>
using MapElement = std::decay_t<RangeReference<Range>>;
template <class Range, class F>
using MapResult = std::decay_t<typename CallResult<F&, MapElement<Range>&>::type>;

/// Adds a task for each element and waits until all have ended, or the caller's event is set. If the range or
/// the copy of an element throws, it rethrows that after the same wait, because `f` may refer to objects on
/// the caller's stack.
template <class Range, class F>
auto run_map(ThreadGroup& group, Range&& range, F f, SourceLocation where) {
  using Element = MapElement<Range>;
  using R = MapResult<Range, F>;
  const auto shared = std::make_shared<F>(std::move(f));  // the tasks may outlive this call
  std::vector<TaskHandle<R>> tasks;
  const auto wait_for_all = [&tasks] {
    for (const auto& task : tasks) {
      if (task.wait() != WaitOutcome::ready) return;
    }
  };
  try {
    if constexpr (requires {
                    { std::size(range) } -> std::integral;
                  })
      tasks.reserve(static_cast<std::size_t>(std::size(range)));
    for (auto&& element : range) {
      const bool last = group.event_is_set();  // then it is skipped, and shows that something is missing
      auto call = [shared, element = Element(std::forward<decltype(element)>(element))]() mutable -> R {
        if constexpr (CallResult<F&, Element&>::kTakesToken) {
          return std::invoke(*shared, thread_utils::stop_token(), element);
        } else {
          return std::invoke(*shared, element);
        }
      };
      tasks.push_back(
          group.add_task(TaskName("item " + std::to_string(tasks.size()), where), std::move(call)));
      if (last) break;
    }
  } catch (...) {
    wait_for_all();
    throw;
  }
  wait_for_all();
  return tasks;
}

/// Marks the failures as delivered, so that no join throws them again.
template <class R>
void claim_failures(const std::vector<TaskHandle<R>>& tasks) noexcept {
  for (const auto& task : tasks) {
    if (task.status() == TaskStatus::failed) SlotOf::get(task)->claim_failure();
  }
}
}  // namespace detail

/// Calls `f(element)` for each element, as tasks of the group ("item 0", "item 1", ...), waits for all, and
/// returns their handles in order, including those of tasks that failed.
///
///     for (const auto& task : tg::map_results(group, urls, fetch)) std::cout << to_string(task.status());
///
/// `f` may take a `std::stop_token` first, as a task may. Each task has a copy of its element. When the group
/// is stopped, for instance by the first failure with `OnFailure::set_event`, no further element is taken
/// from the range, and the last handle is that of a skipped task. All tasks have ended when the call returns
/// or throws, unless the caller's scope or group was stopped first. In a task of the same group, the task lends
/// its slot while it waits. The failures count as delivered: no join throws them.
template <detail::InputRange Range, class F>
auto map_results(ThreadGroup& group, Range&& range, F f, SourceLocation where = SourceLocation::current()) {
  auto tasks = detail::run_map(group, std::forward<Range>(range), std::move(f), where);
  detail::claim_failures(tasks);
  return tasks;
}

/// As `map_results` above, in a group made for this call, with at most `max_workers` calls at a time.
template <detail::InputRange Range, class F>
requires(!std::is_same_v<std::remove_cvref_t<Range>, ThreadGroup>)  //
    auto map_results(Range&& range, F f, std::size_t max_workers = 32,
                     SourceLocation where = SourceLocation::current()) {
  ThreadGroup group("map", {.max_concurrent_threads = max_workers});
  return map_results(group, std::forward<Range>(range), std::move(f), where);
}

/// As `map_results`, but returns the results themselves.
///
///     std::vector<Answer> answers = tg::map(group, urls, fetch);
///
/// If calls failed, throws `MapFailures`, which has the results of the calls that succeeded. If none failed
/// but the group was stopped, throws the `Stopped` of the first task without a result (`TaskSkipped` if it
/// never ran). Throws `WaitInterrupted` as soon as the caller's scope or group is stopped; the failures then
/// reach the join of `group`. If `f` returns void, so does `map`.
template <detail::InputRange Range, class F>
auto map(ThreadGroup& group, Range&& range, F f, SourceLocation where = SourceLocation::current()) {
  using R = detail::MapResult<Range, F>;
  std::vector<TaskHandle<R>> tasks = detail::run_map(group, std::forward<Range>(range), std::move(f), where);
  std::vector<Failure> failures;
  for (const auto& task : tasks) {
    if (task.wait() != WaitOutcome::ready) throw WaitInterrupted(task.name(), *thread_utils::reason());
    if (task.status() == TaskStatus::failed) failures.push_back(detail::SlotOf::get(task)->failure());
  }
  if (!failures.empty()) {
    try {
      std::rethrow_exception(failures.front().exception);
    } catch (...) {  // `MapFailures` nests the exception that is being handled
      MapFailures<R> error(group.path(), std::move(failures), std::move(tasks));
      detail::claim_failures(error.tasks());
      throw error;
    }
  }
  if constexpr (std::is_void_v<R>) {
    for (const auto& task : tasks) task.get();
  } else {
    for (const auto& task : tasks) detail::SlotOf::get(task)->wait_for_success();  // stopped, skipped: throws
    std::vector<R> results;
    results.reserve(tasks.size());
    for (const auto& task : tasks) results.push_back(task.take());
    return results;
  }
}

/// As `map` above, in a group made for this call, with at most `max_workers` calls at a time.
template <detail::InputRange Range, class F>
requires(!std::is_same_v<std::remove_cvref_t<Range>, ThreadGroup>)  //
    auto map(Range&& range, F f, std::size_t max_workers = 32,
             SourceLocation where = SourceLocation::current()) {
  ThreadGroup group("map", {.max_concurrent_threads = max_workers});
  return map(group, std::forward<Range>(range), std::move(f), where);
}

namespace detail {
template <class F>
auto quorum_of(std::size_t k, std::vector<F> all, SourceLocation where) {
  using R = std::decay_t<typename CallResult<F>::type>;
  static_assert(!std::is_void_v<R>, "the functions of a race must return a value");
  if (k == 0 || k > all.size()) {
    throw std::invalid_argument("quorum of " + std::to_string(k) + " out of " + std::to_string(all.size()) +
                                " functions: at least 1, and not more than there are");
  }
  const std::size_t count = all.size();
  ThreadGroup group("quorum", {.max_concurrent_threads = count});
  std::vector<TaskHandle<R>> tasks;
  for (std::size_t i = 0; i < count; ++i)
    tasks.push_back(group.add_task(TaskName("candidate " + std::to_string(i + 1), where), std::move(all[i])));

  std::vector<TaskHandle<R>> won;
  std::size_t lost = 0;
  auto ended = tg::as_completed(tasks);
  while (won.size() < k && lost <= count - k) {
    TaskHandle<R>* const task = ended.next();
    if (task == nullptr) break;
    if (task->status() == TaskStatus::succeeded) {
      won.push_back(*task);
    } else {
      ++lost;
    }
  }
  const bool enough = won.size() == k;
  group.set_event(ReasonKind::condition_met,
                  enough ? "enough of them succeeded" : "too few of them can succeed");
  std::vector<Failure> failures = group.wait_idle().failures;
  if (!enough) {
    if (failures.empty()) {
      for (const auto& task : tasks) {  // then one that the stop ended says why
        if (task.status() == TaskStatus::stopped || task.status() == TaskStatus::skipped) task.get();
      }
    }
    if (ended.interrupted()) throw WaitInterrupted("quorum", *thread_utils::reason());
    throw_function_failures(group.path(), std::move(failures), {});
  }
  std::vector<R> results;
  for (const auto& task : won) results.push_back(std::move(detail::SlotOf::get(task)->stored()));
  return results;
}
}  // namespace detail

/// Runs all functions at the same time, returns the results of the first `k` that succeed, in the order in
/// which they ended, and stops the others.
///
///     std::vector<Ack> acks = tg::quorum(2, std::vector<std::function<Ack()>>{to_a, to_b, to_c});
///
/// It returns after the others have ended, too, so they should be event-aware. What they throw after that is
/// dropped. The functions are tasks of a group made for this call, below the caller's scope or group; stopping
/// them does not stop the caller. As soon as fewer than `k` can still succeed, it stops the rest and throws
/// `FunctionFailures` ("candidate 2"), which holds what was thrown. If the caller was stopped first, it throws
/// `TaskSkipped` or `WaitInterrupted`. Throws `std::invalid_argument` if `k` is 0 or larger than the number of
/// functions.
template <detail::InputRange Range>
auto quorum(std::size_t k, Range&& functions, SourceLocation where = SourceLocation::current()) {
  std::vector<std::decay_t<detail::RangeReference<Range>>> all;
  for (auto&& f : functions) all.push_back(std::forward<decltype(f)>(f));
  return detail::quorum_of(k, std::move(all), where);
}

namespace detail {
/// Gives functions of different types, with or without a token parameter, one signature, in the form that
/// tasks keep.
template <class R, class F>
struct Candidate {
  F f;
  R operator()(std::stop_token token) {
    if constexpr (std::is_invocable_v<F&, std::stop_token>) {
      return std::invoke(f, std::move(token));
    } else {
      return std::invoke(f);
    }
  }
};

template <class... Fs>
auto first_of_these(SourceLocation where, Fs... fs) {
  using R = std::common_type_t<std::decay_t<typename CallResult<Fs>::type>...>;
  std::vector<UniqueFunction<R(std::stop_token)>> functions;
  (functions.push_back(
       Candidate<R, typename KeptInTask<Fs>::Type>{typename KeptInTask<Fs>::Type(std::move(fs))}),
   ...);
  auto results = quorum_of(1, std::move(functions), where);
  return std::move(results.front());
}
}  // namespace detail

/// The result of the first function that succeeds: `quorum` with `k` = 1.
///
///     Page page = tg::first_of(from_mirror_a, from_mirror_b);
///     Page other = tg::first_of(list_of_mirrors);
///
/// The report of a failure says where `first_of` was called, except for more than four functions that are not
/// in a range. (There is one overload for each number of functions, because no parameter after a pack can
/// have a default.)
template <detail::InputRange Range>
auto first_of(Range&& functions, SourceLocation where = SourceLocation::current()) {
  auto results = quorum(1, std::forward<Range>(functions), where);
  return std::move(results.front());
}
/// \overload
template <class A>
requires(!detail::InputRange<A>) auto first_of(A a, SourceLocation where = SourceLocation::current()) {
  return detail::first_of_these(where, std::move(a));
}
/// \overload
template <class A, class B>
requires(!detail::InputRange<A>) auto first_of(A a, B b, SourceLocation where = SourceLocation::current()) {
  return detail::first_of_these(where, std::move(a), std::move(b));
}
/// \overload
template <class A, class B, class C>
requires(!detail::InputRange<A>)  //
    auto first_of(A a, B b, C c, SourceLocation where = SourceLocation::current()) {
  return detail::first_of_these(where, std::move(a), std::move(b), std::move(c));
}
/// \overload
template <class A, class B, class C, class D>
requires(!detail::InputRange<A>)  //
    auto first_of(A a, B b, C c, D d, SourceLocation where = SourceLocation::current()) {
  return detail::first_of_these(where, std::move(a), std::move(b), std::move(c), std::move(d));
}
/// \overload
template <class A, class B, class C, class D, class E, class... More>
requires(!detail::InputRange<A>) auto first_of(A a, B b, C c, D d, E e, More... more) {
  return detail::first_of_these(SourceLocation{}, std::move(a), std::move(b), std::move(c), std::move(d),
                                std::move(e), std::move(more)...);
}

}  // namespace v0
}  // namespace tg

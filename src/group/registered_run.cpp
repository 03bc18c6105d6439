// SPDX-License-Identifier: Apache-2.0
// Runs of registered functions.
#include "group/registered_run.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include <threadgroup/detail/function_call.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg::inline v0::detail {

namespace {

// The task that a registered function becomes.
struct RunCall {
  std::shared_ptr<const FunctionCall> call;
  UniqueFunction<Value()> by_task = call->call_by_task();
  Value operator()() { return by_task ? by_task() : call->call(); }
};

// Waits for all, or until the event is set. From the last to the first: tasks start in order, so this parks a
// few times and not once for each.
void wait_for_all(const std::vector<ResultStruct>& results, Event* event) {
  for (std::size_t i = results.size(); i > 0; --i) {
    if (SlotOf::get(results[i - 1].handle())->wait_watching(event, TimePoint::never()) !=
        WaitOutcome::ready) {
      return;
    }
  }
}

}  // namespace

TaskHandle<Value> start_registered(ThreadGroup& group, RegisteredCall& call) {
  return group.add_task(TaskName{std::move(call.name.value), call.name.where}, RunCall{std::move(call.call)});
}

ResultList run_registered(ThreadGroup& group, Pool& pool, std::vector<RegisteredCall> calls, Event* event) {
  std::vector<ResultStruct> results;
  results.reserve(calls.size());
  std::vector<std::uint64_t> numbers;  // of the tasks; in order, for one thread adds them
  numbers.reserve(calls.size());
  const auto wait_until_ended = [&] {
    wait_for_all(results, event);
    const auto done = [](const ResultStruct& result) { return result.handle().done(); };
    if (std::all_of(results.begin(), results.end(), done)) pool.wait_until_counted(numbers);
  };
  try {
    for (RegisteredCall& call : calls) {
      results.emplace_back(start_registered(group, call));
      numbers.push_back(SlotOf::get(results.back().handle())->number());
    }
  } catch (...) {
    wait_until_ended();
    throw;
  }
  wait_until_ended();
  ResultList list(std::move(results));
  claim_failures(list);  // the caller gets them in the list
  return list;
}

}  // namespace tg::inline v0::detail

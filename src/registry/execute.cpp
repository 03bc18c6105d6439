// SPDX-License-Identifier: Apache-2.0
// Running registered functions: the members of ThreadGroup that need the registry, and execution without a
// group.
#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <threadgroup/registry/execute.hpp>
#include <threadgroup/result/as_completed.hpp>
#include <threadgroup/tree/forest.hpp>
#include <threadgroup/tree/thread_utils.hpp>

#include "group/group_core.hpp"
#include "registry/registry.hpp"

namespace tg {

using detail::RegisteredCall;
using detail::Registry;

namespace {

// The task that a registered function becomes.
struct RunCall {
  std::shared_ptr<const detail::FunctionCall> call;
  UniqueFunction<Value()> by_task = call->call_by_task();
  Value operator()() { return by_task ? by_task() : call->call(); }
};

TaskHandle<Value> start(ThreadGroup& group, RegisteredCall& call) {
  return group.add_task(TaskName{std::move(call.name.value), call.name.where}, RunCall{std::move(call.call)});
}

// Waits for all, or until the event is set. From the last to the first: tasks start in order, so this parks a
// few times and not once for each.
void wait_for_all(const std::vector<ResultStruct>& results, detail::Event* event) {
  for (std::size_t i = results.size(); i > 0; --i) {
    if (detail::SlotOf::get(results[i - 1].handle())->wait_watching(event, TimePoint::never()) !=
        detail::WaitOutcome::ready) {
      return;
    }
  }
}

// Starts all of them and waits, until the group's counts show it, too. If one cannot be started (no memory,
// no thread), those before it end first.
ResultList run(ThreadGroup& group, detail::Pool& pool, std::vector<RegisteredCall> calls,
               detail::Event* event) {
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
      results.emplace_back(start(group, call));
      numbers.push_back(detail::SlotOf::get(results.back().handle())->number());
    }
  } catch (...) {
    wait_until_ended();
    throw;
  }
  wait_until_ended();
  ResultList list(std::move(results));
  detail::claim_failures(list);  // the caller gets them in the list
  return list;
}

}  // namespace

void ThreadGroup::register_function(Function function) {
  core_->check_process("register_function");
  registry_.get_or_make().add(std::move(function));
}

void ThreadGroup::update_args_of(const std::string& function, const detail::OfferedArguments& offered) {
  core_->check_process("update_fn_args");
  const std::vector<Function> found = registry_.get_or_make().find(function, name());
  if (found.size() > 1) {
    throw std::invalid_argument(
        "group '" + name() + "' has " + std::to_string(found.size()) + " functions '" + function +
        "'; use `update_args` of what register_function returned to say which is meant");
  }
  const std::shared_ptr<detail::FunctionCell>& cell = found.front().cell();
  cell->replace(cell->call()->with(function, offered));
}

const ResultList& ThreadGroup::run_registered(const char* operation, ResultList& results) {
  detail::Event* const event = event_for_wait(operation);
  Registry& registry = registry_.get_or_make();
  std::vector<RegisteredCall> calls = registry.calls();
  registry.begin_run();
  try {
    results = run(*this, core_->pool(), std::move(calls), event);
    return registry.end_run(results, results.complete());
  } catch (...) {
    registry.abandon_run();
    throw;
  }
}

const ResultList& ThreadGroup::execute() {
  ResultList results;
  const ResultList& kept = run_registered("execute", results);
  throw_function_failures(path(), results.failures(), results);
  return kept;
}

ResultList ThreadGroup::execute_results() {
  ResultList results;
  run_registered("execute_results", results);
  return results;
}

ResultStream ThreadGroup::as_completed() {
  event_for_wait("as_completed");
  Registry& registry = registry_.get_or_make();
  // Twice the bound: while the reader looks at one result, the workers have the next tasks before them.
  const std::size_t window = 2 * core_->pool().bound();
  return ResultStream(
      [this, calls = registry.calls(), at = std::size_t{0}]() mutable {
        if (at == calls.size()) return TaskHandle<Value>();
        return start(*this, calls[at++]);
      },
      window, [&registry] { registry.mark_executed(); });
}

bool ThreadGroup::executed() const {
  core_->check_process("executed");  // another thread of the parent may have held the lock across the fork
  const Registry* const registry = registry_.get();
  return registry != nullptr && registry->executed();
}

const ResultList& ThreadGroup::get_results() const {
  core_->check_process("get_results");
  const Registry* const registry = registry_.get();
  return registry != nullptr ? registry->latest() : detail::Registry::none();
}

ResultList threaded_execution_results(std::vector<Function> functions, std::size_t max_workers) {
  if (max_workers == 0) {
    throw std::invalid_argument(
        "threaded_execution: max_workers is 0, so nothing could ever run; give at least 1");
  }
  ThreadGroup group("threaded_execution", {.max_concurrent_threads = max_workers});
  for (Function& function : functions) group.register_function(std::move(function));
  return group.execute_results();
}

ResultList threaded_execution(std::vector<Function> functions, std::size_t max_workers) {
  ResultList results = threaded_execution_results(std::move(functions), max_workers);
  throw_function_failures("threaded_execution", results.failures(), results);
  return results;
}

}  // namespace tg

// SPDX-License-Identifier: Apache-2.0
// Judging and adding up.
#include "sweep/ledger.hpp"

#include <cstdio>
#include <new>
#include <system_error>

namespace tg::test {

void Ledger::violation(const std::string& what) {
  const Spared spared;
  violated_ = true;
  std::fprintf(stderr, "violation: %s\n", what.c_str());
}

void Ledger::judge(const std::exception_ptr& error) {
  const Spared spared;
  try {
    std::rethrow_exception(error);
  } catch (const TaskFailures& several) {  // FunctionFailures is one of these
    for (const Failure& failure : several.failures()) judge(failure.exception);
  } catch (const std::bad_alloc&) {
  } catch (const std::system_error& e) {
    if (e.code() != std::errc::resource_unavailable_try_again) violation(e.what());
  } catch (const Expected&) {
  } catch (const Stopped&) {
  } catch (...) {
    violation("unexpected: " + describe_exception(error));
  }
}

void Ledger::settle(ThreadGroup& group) {
  try {
    for (const Failure& failure : group.wait_idle().failures) judge(failure.exception);
  } catch (...) {
    judge(std::current_exception());
  }
  const Spared spared;
  for (const Failure& failure : group.wait_idle().failures) judge(failure.exception);
  const GroupStatistics counts = group.statistics();
  if (!counts.idle()) violation("group '" + group.name() + "' is not idle after a join");
  ended_ += counts.done();
  ran_ += counts.succeeded + counts.stopped;
}

std::string Ledger::audit() const {
  if (violated_) return "a violation";
  if (alive_ != 0) return std::to_string(alive_) + " callables were not destroyed";
  if (ended_ != added_)
    return std::to_string(added_) + " tasks were added, " + std::to_string(ended_) + " ended";
  if (begun_ < ran_)
    return std::to_string(ran_) + " tasks ran, but only " + std::to_string(begun_) + " were called";
  for (const NodeSnapshot& node : ThreadEventsController::instance().snapshot().nodes) {
    if (node.kind == NodeKind::group || node.kind == NodeKind::daemon)
      return "node '" + node.name + "' was left";
  }
  ThreadGroup after("after");
  if (after.add_task([] { return 42; }).get() != 42) return "a new group does not work";
  return {};
}

}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// Catches what a task throws, and puts it into words.
#include <threadgroup/detail/current_failure.hpp>

#include <cstdlib>

#include <threadgroup/reason.hpp>

#include "base/report.hpp"
#include "event/callers_task.hpp"
#include "runtime/flow.hpp"

namespace tg::inline v0::detail {

std::exception_ptr current_failure() noexcept {
  std::exception_ptr failure = std::current_exception();
  if (failure != nullptr) return failure;  // also where memory ran out: then it is a `bad_alloc`
  const runtime::Flow& flow = runtime::Flow::current();
  std::string task = "code";
  try {
    task = label_of_callers_task();
  } catch (const std::exception&) {  // without its name
  }
  report_line(
      {task, " on ", flow.os_label(),
       " called pthread_exit, or its thread was cancelled by pthread_cancel. It must return or throw; "
       "to stop a task, set its group's event. The process is aborted."});
  std::abort();
}

std::string describe_if_possible(const std::exception_ptr& exception) noexcept try {
  return describe_exception(exception);
} catch (...) {
  return "out of memory";  // short enough for a string to need none
}

}  // namespace tg::inline v0::detail

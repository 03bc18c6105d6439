// SPDX-License-Identifier: Apache-2.0
// Puts reasons and exceptions into words.
#include <cxxabi.h>

#include <cstdlib>

#include <threadgroup/base/escaped.hpp>
#include <threadgroup/base/report.hpp>
#include <threadgroup/base/type_name.hpp>
#include <threadgroup/event/reason.hpp>
#include <threadgroup/runtime/flow.hpp>

namespace tg {

const char* to_string(ReasonKind kind) noexcept {
  switch (kind) {
    case ReasonKind::requested:
      return "requested";
    case ReasonKind::condition_met:
      return "condition_met";
    case ReasonKind::failure:
      return "failure";
    case ReasonKind::deadline:
      return "deadline";
    case ReasonKind::destroyed:
      return "destroyed";
    case ReasonKind::signal:
      return "signal";
  }
  return "unknown";
}

namespace detail {

std::exception_ptr current_failure() noexcept {
  std::exception_ptr failure = std::current_exception();
  if (failure != nullptr) return failure;  // also where memory ran out: then it is a `bad_alloc`
  const runtime::Flow& flow = runtime::Flow::current();
  std::string task = "code";
  try {
    if (flow.task != nullptr && flow.task_label != nullptr) task = flow.task_label(flow);
  } catch (const std::exception&) {  // without its name
  }
  report_line(
      {task, " on ", flow.os_label(),
       " called pthread_exit, or its thread was cancelled by pthread_cancel. A task must return or throw; "
       "to stop it, set its group's event. The process is aborted."});
  std::abort();
}

}  // namespace detail

namespace {
// The type of the exception that is being handled.
std::string type_of_current() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "that is unknown";
  return detail::type_name(*type);
}
}  // namespace

std::string describe_exception(const std::exception_ptr& exception) {
  if (!exception) return "no exception";
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    const char* const what = e.what();
    return what != nullptr ? what : "an exception of type " + type_of_current();
  } catch (...) {
    return "an exception of type " + type_of_current();
  }
}

std::string detail::describe_if_possible(const std::exception_ptr& exception) noexcept try {
  return describe_exception(exception);
} catch (...) {
  return "out of memory";  // short enough for a string to need none
}

std::string Reason::str() const {
  std::string text = to_string(kind);
  if (!origin_path.empty()) text += " at " + origin_path;
  if (task) text += " by task '" + *task + "'";
  if (!message.empty()) text += ": " + message;
  if (exception) {
    const std::string what = describe_exception(exception);
    if (message.find(what) == std::string::npos) text += ": " + what;
  }
  if (where.line != 0) text += " (" + to_string(where) + ")";
  return detail::escaped(text);
}

}  // namespace tg

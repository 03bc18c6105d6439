// SPDX-License-Identifier: Apache-2.0
// Puts reasons and exceptions into words.
#include <threadgroup/reason.hpp>

#include <cxxabi.h>

#include <threadgroup/detail/type_name.hpp>

#include "base/escaped.hpp"

namespace tg {
inline namespace v0 {

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
    case ReasonKind::draining:
      return "draining";
  }
  return "unknown";
}

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

}  // namespace v0
}  // namespace tg

// SPDX-License-Identifier: Apache-2.0
// Printing, sorting out and throwing results.
#include <threadgroup/results.hpp>

#include <algorithm>
#include <ostream>

#include <threadgroup/detail/type_name.hpp>
#include <threadgroup/outcomes.hpp>

#include "base/escaped.hpp"
#include "base/immortal.hpp"

namespace tg {
inline namespace v0 {

ResultTypeError::ResultTypeError(const std::string& function, const std::type_info& asked,
                                 const std::type_info& held)
    : std::logic_error(
          "the result of function '" + function + "' was asked for as " + detail::type_name(asked) +
          ", but it is " +
          (held == typeid(void) ? "void: the function returns nothing" : detail::type_name(held))) {}

std::string ResultStruct::str() const {
  std::string text = "(function=" + detail::escaped(fn_name()) + "; ";
  switch (status()) {
    case TaskStatus::succeeded:
      text += "result=" + value().str();
      break;
    case TaskStatus::failed:
      text += "failed=" + detail::escaped(describe_exception(exception()));
      break;
    case TaskStatus::stopped:
      text += "stopped=" + reason()->str();
      break;
    case TaskStatus::skipped:
      text += "skipped=" + reason()->str();
      break;
    default:
      text += to_string(status());
  }
  return text + ")";
}

namespace {
constinit const detail::Immortal<std::vector<ResultStruct>> none;
}

const std::vector<ResultStruct>& ResultList::all() const noexcept {
  return results_ != nullptr ? *results_ : none.value;
}

ResultList ResultList::get(const std::string& fn_name) const {
  std::vector<ResultStruct> found;
  for (const ResultStruct& result : *this) {
    if (result.fn_name() == fn_name) found.push_back(result);
  }
  return ResultList(std::move(found));
}

std::map<std::string, std::vector<ResultStruct>> ResultList::asdict() const {
  std::map<std::string, std::vector<ResultStruct>> by_name;
  for (const ResultStruct& result : *this) by_name[result.fn_name()].push_back(result);
  return by_name;
}

std::vector<Failure> ResultList::failures() const {
  std::vector<Failure> failures;
  for (const ResultStruct& result : *this) {
    if (result.status() == TaskStatus::failed)
      failures.push_back(detail::SlotOf::get(result.handle())->failure());
  }
  return failures;
}

bool ResultList::complete() const {
  return std::all_of(begin(), end(), [](const ResultStruct& result) { return result.handle().done(); });
}

std::string ResultList::str() const {
  std::string text = "[";
  for (const ResultStruct& result : *this) {
    if (text.size() > 1) text += ", ";
    text += result.str();
  }
  return text + "]";
}

std::ostream& operator<<(std::ostream& out, const ResultStruct& result) { return out << result.str(); }
std::ostream& operator<<(std::ostream& out, const ResultList& results) { return out << results.str(); }

FunctionFailures::FunctionFailures(const std::string& group, std::vector<Failure> failures,
                                   ResultList results)
    : TaskFailures("function", group, std::move(failures)), results_(std::move(results)) {}

namespace detail {
void throw_function_failures(const std::string& group, std::vector<Failure> failures, ResultList results) {
  if (failures.empty()) return;
  try {
    std::rethrow_exception(failures.front().exception);
  } catch (...) {  // while it is being handled, the nested exception takes hold of it
    throw FunctionFailures(group, std::move(failures), std::move(results));
  }
}

void claim_failures(const ResultList& results) noexcept {
  for (const ResultStruct& result : results) {
    if (result.status() == TaskStatus::failed) SlotOf::get(result.handle())->claim_failure();
  }
}
}  // namespace detail

}  // namespace v0
}  // namespace tg

// SPDX-License-Identifier: Apache-2.0
// Names of tasks.
#include <threadgroup/detail/task.hpp>

namespace tg::inline v0::detail {

std::string Task::name() const {
  const std::string* const given = given_name();
  return given == nullptr ? "task " + std::to_string(number()) : *given;
}

}  // namespace tg::inline v0::detail

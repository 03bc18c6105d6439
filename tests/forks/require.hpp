// SPDX-License-Identifier: Apache-2.0
// Expectations in a forked child, where gtest's own would be lost.
#pragma once

#include <cstring>
#include <stdexcept>
#include <string>

#include "support/in_child.hpp"

namespace tg::forks {

struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};
#define REQUIRE(condition)                                                                                 \
  if (!(condition))                                                                                        \
  throw ::tg::forks::Wrong(std::string(std::strrchr(__FILE__, '/') + 1) + ":" + std::to_string(__LINE__) + \
                           ": " #condition)

using test::throws_forked;

}  // namespace tg::forks

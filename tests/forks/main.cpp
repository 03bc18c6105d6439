// SPDX-License-Identifier: Apache-2.0
// The tests; or, with an argument, the script that they run in a process that has not used the library
// before.
#include <gtest/gtest.h>

#include <cstring>

#include "forks/script.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--script") == 0) tg::forks::run_script();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

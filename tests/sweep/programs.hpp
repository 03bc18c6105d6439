// SPDX-License-Identifier: Apache-2.0
// Small whole programs, each of which uses one part of the library.
#pragma once

#include <vector>

#include "sweep/ledger.hpp"

namespace tg::test {

struct Program {
  const char* name;
  void (*run)(Ledger& ledger);
};

/// All of them.
const std::vector<Program>& programs();

}  // namespace tg::test

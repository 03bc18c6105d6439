// SPDX-License-Identifier: Apache-2.0
// Running something that must throw BadInput, for its message.
#pragma once

#include <string>

#include "bad_input.hpp"

namespace verify_users {

template <class Run>
std::string complaint_of(Run run) {
  try {
    run();
  } catch (const BadInput& error) {
    return error.what();
  }
  return "(no complaint)";
}

}  // namespace verify_users

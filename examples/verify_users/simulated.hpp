// SPDX-License-Identifier: Apache-2.0
// A day of the program in simulated time.
#pragma once

#include <string>
#include <vector>

#include "options.hpp"

namespace verify_users {

// Verifies the users once in each of 24 hours, with a service that is as slow and unreliable as the one over
// HTTP, and returns what there was to see. The same options give the same text. Throws BadInput for a file of
// accounts that cannot be read, and std::runtime_error if the day did not end as it should.
std::string simulated_day(const Options& options, const std::vector<std::string>& users);

}  // namespace verify_users

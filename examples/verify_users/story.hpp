// SPDX-License-Identifier: Apache-2.0
// The story of the program: a task for each user, until enough are verified. It is the same in simulated time.
#pragma once

#include <string>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "options.hpp"
#include "summary.hpp"
#include "verification.hpp"

namespace verify_users {

// Adds a task for each user.
std::vector<tg::TaskHandle<Verified>> add_users(tg::ThreadGroup& group, Verification& verification,
                                                const std::vector<std::string>& users);

bool enough_are_verified(const Verification& verification, const Options& options);

// Waits until enough are verified or no time is left, stops the rest, and says how it ended.
Ending wait_for_enough(tg::ThreadGroup& group, const Verification& verification, const Options& options,
                       std::vector<tg::TaskHandle<Verified>> tasks);

}  // namespace verify_users

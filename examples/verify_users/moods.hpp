// SPDX-License-Identifier: Apache-2.0
// What makes the service behave like a remote one: how long it takes, and whether it answers 503.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace verify_users {

struct Mood {
  std::chrono::milliseconds latency;
  bool unavailable;
};

struct ServiceOptions;

// How the service answers the question `key` when it is asked for the `attempt`-th time: a pure function.
Mood mood_for(const ServiceOptions& options, const std::string& key, std::uint64_t attempt);

}  // namespace verify_users

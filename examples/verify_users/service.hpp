// SPDX-License-Identifier: Apache-2.0
// A service in this process that answers questions about accounts over HTTP, as slow and unreliable as a
// remote one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "accounts.hpp"

namespace verify_users {

struct ServiceOptions {
  std::uint64_t seed = 107;  // with it, the first user of most machines takes some five seconds
  std::chrono::milliseconds min_latency{300};
  std::chrono::milliseconds max_latency{1200};
  double failure_share = 0.2;        // of the answers are 503
  std::size_t max_connections = 30;  // served at the same time
};

// GET /accounts/<user>/exists|home|login answers 200 {"user":…,"check":…,"ok":true|false,"detail":…}, or 503.
//
// Latencies and failures depend on the seed, the user, the check and the number of earlier questions, not on
// the schedule, so a run can be repeated. The service runs on a daemon group, the root of a tree of its own:
// the events of its clients' groups do not reach it. An event of the whole forest does, and wakes each answer
// that is still waiting.
//
// Listens on a free port of 127.0.0.1 from construction to destruction.
class Service {
 public:
  explicit Service(const ServiceOptions& options, LookUp accounts = look_up);
  ~Service();

  std::string url() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace verify_users

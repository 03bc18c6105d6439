// SPDX-License-Identifier: Apache-2.0
// An account service in the test's process, whose answers follow from the user's name.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace verify_users {

// "good…" is good; "bad…" has no home; "slow…" is not answered while the service lives; "flaky…" gets a 503
// for the first question of each kind; "odd…" gets an answer that is no JSON; "gone…" gets a 404.
class FakeService {
 public:
  FakeService();
  ~FakeService();

  std::string url() const;
  std::size_t most_at_once() const;  // questions

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace verify_users

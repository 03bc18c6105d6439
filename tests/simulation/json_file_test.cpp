// SPDX-License-Identifier: Apache-2.0
// A vault in a file is refused in a simulation.
#include <gtest/gtest.h>

#include <string>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>
#include <threadgroup/vault_json.hpp>

namespace tg {
namespace json_file_test {
namespace {

struct Keys {
  Key<int> count{"count"};
};

TEST(JsonFileInSimulation, is_refused_by_name) {
  const sim::Report report = sim::explore({.schedules = 1}, [] {
    const Keys keys;
    Vault vault("vault", keys);
    JsonResource file{"counts.json", JsonMode::append};
    file.attach(vault, keys);
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("counts.json: a simulation does no real input or output"),
            std::string::npos)
      << report.str();
}

}  // namespace
}  // namespace json_file_test
}  // namespace tg

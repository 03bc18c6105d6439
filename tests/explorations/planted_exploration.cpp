// SPDX-License-Identifier: Apache-2.0
// The tester's own tests: no planted mistake is forgotten, and loss of control is noticed.
#include <algorithm>

#include "explorations/explore.hpp"

namespace tg::test {
namespace {

TEST(Planted, each_mistake_is_looked_for) {
  const auto& all = looked_for();
#define TG_ONE(name)                                                             \
  EXPECT_NE(std::find(all.begin(), all.end(), detail::Planted::name), all.end()) \
      << #name " is in no TG_FINDS";
  TG_ALL_PLANTED(TG_ONE)
#undef TG_ONE
}

}  // namespace
}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// The names of the outcomes of waits, and what is thrown because of a stop.
#include <gtest/gtest.h>

#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg {
namespace outcomes_test {
namespace {

TEST(WaitOutcome, has_a_name_for_each) {
  EXPECT_STREQ(to_string(WaitOutcome::ready), "ready");
  EXPECT_STREQ(to_string(WaitOutcome::event_set), "event_set");
  EXPECT_STREQ(to_string(WaitOutcome::timed_out), "timed_out");
  EXPECT_STREQ(to_string(WaitOutcome::closed), "closed");
  EXPECT_STREQ(to_string(static_cast<WaitOutcome>(99)), "unknown");
}

TEST(Stopped, copies_share_the_text_and_the_reason) {
  Reason reason;
  reason.message = "enough";
  const Stopped first("no more pages", reason);
  const Stopped copy = first;
  EXPECT_STREQ(copy.what(), "no more pages");
  EXPECT_EQ(&copy.reason(), &first.reason());
  EXPECT_EQ(copy.reason().message, "enough");
}

}  // namespace
}  // namespace outcomes_test
}  // namespace tg

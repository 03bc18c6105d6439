// SPDX-License-Identifier: Apache-2.0
// Each call of tg::posix is stopped while it blocks, and at once in a stopped task.
#include <gtest/gtest.h>

#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iterator>
#include <string>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "runtime/stoppable_call.hpp"
#define TG_CALLS posix
#include "support/blocked_task.hpp"
#include "support/blocking_calls.hpp"

namespace tg::test {
namespace calls_test {
namespace {

using namespace std::chrono_literals;

class PosixCall : public testing::TestWithParam<BlockingCall> {
 protected:
  Silent silent_;
};
class BlockingPosixCall : public PosixCall {};

TEST_P(BlockingPosixCall, is_stopped_while_it_blocks) {
  long result = 0;
  int error = 0;
  stop_while_asleep([&] {
    result = GetParam().call(silent_);
    error = errno;
  });
  EXPECT_EQ(result, -1);
  EXPECT_EQ(error, ECANCELED);
}

TEST_P(PosixCall, returns_at_once_when_the_caller_is_stopped) {
  ThreadGroup group("calls");
  long result = 0;
  int error = 0;
  group.post([&] {
    thread_utils::set_event("stop");
    result = GetParam().call(silent_);
    error = errno;
  });
  group.join();
  EXPECT_EQ(result, -1);
  EXPECT_EQ(error, ECANCELED);
}

TEST_P(BlockingPosixCall, is_stopped_by_the_deadline_of_a_scope_on_a_thread_of_the_program) {
  const StopScope scope(10ms);
  const long result = GetParam().call(silent_);
  EXPECT_EQ(result, -1);
  EXPECT_EQ(errno, ECANCELED);
}

std::vector<BlockingCall> calls_that_a_stop_ends() {
  std::vector<BlockingCall> calls(std::begin(kBlockingCalls), std::end(kBlockingCalls));
  if (!runtime::kHasStoppableCalls)
    std::erase_if(calls, [](const BlockingCall& one) { return one.needs_signal; });
  return calls;
}

const auto name_of = [](const auto& test) { return std::string(test.param.name); };
INSTANTIATE_TEST_SUITE_P(All, PosixCall, testing::ValuesIn(kBlockingCalls), name_of);
INSTANTIATE_TEST_SUITE_P(All, BlockingPosixCall, testing::ValuesIn(calls_that_a_stop_ends()), name_of);

}  // namespace
}  // namespace calls_test
}  // namespace tg::test

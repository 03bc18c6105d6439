// SPDX-License-Identifier: Apache-2.0
// What must work where there is no memory at all.
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <threadgroup/detail/current_failure.hpp>
#include <threadgroup/reason.hpp>

#include "sweep/faults.hpp"

namespace tg::test {
namespace {

constexpr std::uint64_t kAll = 1'000'000'000;

TEST(Shortage, an_exception_that_cannot_be_described_is_reported_as_out_of_memory) {
  const auto error =
      std::make_exception_ptr(std::runtime_error("a text that is too long to be stored in place"));
  std::string text;
  {
    const Faults faults(Fault::allocation, 1, kAll);
    text = detail::describe_if_possible(error);
  }
  EXPECT_EQ(text, "out of memory");
  EXPECT_EQ(detail::describe_if_possible(error), "a text that is too long to be stored in place");
}

}  // namespace
}  // namespace tg::test

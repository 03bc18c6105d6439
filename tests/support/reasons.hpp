// SPDX-License-Identifier: Apache-2.0
// What a reason must say.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include <threadgroup/thread_group.hpp>

#include "runtime/steady_clock.hpp"

namespace tg::test {

/// It was requested outside of any task, on that line, of this group below the main thread, after `since`.
inline void expect_requested(const Reason& reason, const ThreadGroup& group, const std::string& message,
                             std::uint32_t line, TimePoint since) {
  EXPECT_EQ(reason.kind, ReasonKind::requested);
  EXPECT_EQ(reason.message, message);
  EXPECT_EQ(reason.origin, group.id());
  EXPECT_EQ(reason.origin_path, "MainThread/" + group.name());
  EXPECT_FALSE(reason.task);
  EXPECT_EQ(reason.where.line, line);
  EXPECT_GE(reason.when, since);
  EXPECT_LE(reason.when, runtime::now());
}

}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// What the program says at its end.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "verification.hpp"

namespace verify_users {

struct Ending {
  std::size_t needed = 1;
  std::vector<tg::TaskHandle<Verified>> tasks{};  // one per user, all of them ended
  tg::GroupStatistics counts{};
  std::optional<tg::Reason> reason{};  // why the group was stopped; none: it ended by itself
  tg::ForestSnapshot stopped{};        // the forest right after that
  bool unicode = false;                // draw it with box characters
  std::size_t columns = 120;           // and not wider than this
  tg::TimePoint ended{};               // when the last task was over
};

// Who was verified, what became of the others, the chain of reasons, and how long stopping took.
std::string summarize(const Ending& ending);

}  // namespace verify_users

// SPDX-License-Identifier: Apache-2.0
// What the program prints at its end.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "terminal.hpp"
#include "verification.hpp"

namespace verify_users {

struct Ending {
  std::size_t needed = 1;
  std::vector<tg::TaskHandle<Verified>> tasks{};  // one per user, all of them ended
  tg::GroupStatistics counts{};
  std::optional<tg::Reason> reason{};  // why the group was stopped; none: it ended by itself
  tg::ForestSnapshot stopped{};        // the forest right after that
  tg::TimePoint ended{};               // when the last task was over
  bool own_accounts_only = false;      // the service knew the accounts of this machine and no others
  std::optional<Terminal> terminal{};  // none: the summary may have any size
};

// Which users were verified, what became of the others, the chain of reasons, and how long the stop took. On
// a terminal it leaves one line of the screen free above it and one below, and no line wraps.
std::string summarize(const Ending& ending);

}  // namespace verify_users

// SPDX-License-Identifier: Apache-2.0
// Shows the groups at work while the main thread waits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "journal.hpp"
#include "terminal.hpp"
#include "verification.hpp"

namespace verify_users {

// On a terminal: a progress line, the live tree of all groups and the last lines of the journal, redrawn in
// place ten times a second. Elsewhere: a progress line from time to time, between the lines of the journal.
//
// It runs on a daemon group, so that a stop of what it shows does not reach it.
class LiveView {
 public:
  // Without a terminal: plain lines. The other arguments outlive the view.
  LiveView(const tg::ThreadGroup& group, const Verification& verification, std::size_t need, Journal& journal,
           std::optional<Terminal> terminal);

  // Stops. On a terminal the picture is erased, elsewhere the last progress is printed.
  void finish();

 private:
  void draw();
  void print_progress();
  StyledLine progress_line(const tg::GroupStatistics& counts) const;

  const tg::ThreadGroup& group_;
  const Verification& verification_;
  const std::size_t need_;
  Journal& journal_;
  std::optional<Terminal> terminal_;
  std::string last_progress_;
  tg::ThreadGroup painter_;  // last: its task uses all of the above
};

}  // namespace verify_users

// SPDX-License-Identifier: Apache-2.0
// The live view.
#include "live_view.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "duration.hpp"
#include "tree_picture.hpp"

namespace verify_users {
namespace {

using namespace std::chrono_literals;

std::string bar(double share, std::size_t columns, bool unicode) {
  const auto full = static_cast<std::size_t>(share * static_cast<double>(columns));
  std::string text;
  for (std::size_t i = 0; i < columns; ++i) text += i < full ? (unicode ? "█" : "#") : (unicode ? "░" : ".");
  return text;
}

}  // namespace

LiveView::LiveView(const tg::ThreadGroup& group, const Verification& verification, std::size_t need,
                   Journal& journal, std::optional<Terminal> terminal)
    : group_(group),
      verification_(verification),
      need_(need),
      journal_(journal),
      terminal_(terminal),
      painter_("Live view", {.max_concurrent_threads = 1, .daemon = true}) {
  painter_.post([this] {
    do terminal_ ? draw() : print_progress();
    while (tg::thread_utils::event_aware_sleep(terminal_ ? 100ms : 1000ms));
  });
}

void LiveView::finish() {
  painter_.set_event("there is nothing left to see");
  (void)painter_.wait_idle();
  terminal_ ? terminal_->draw({}) : print_progress();
}

StyledLine LiveView::progress_line(const tg::GroupStatistics& counts) const {
  const double share =
      counts.total() == 0 ? 0.0 : static_cast<double>(counts.done()) / static_cast<double>(counts.total());
  StyledLine line;
  line.add(bar(share, 24, terminal_->unicode()), Style::cyan)
      .add(fmt::format("  {} of {} done", counts.done(), counts.total()), Style::bold)
      .add(fmt::format("   {} of {} verified", verification_.verified(), need_), Style::green)
      .add(fmt::format("   {}", format_duration(journal_.elapsed())), Style::dim);
  return line;
}

void LiveView::draw() {
  constexpr std::size_t kMostHappenings = 5;
  terminal_->measure();
  // All rows but that of the progress line and that of the cursor.
  const std::size_t room = std::max<std::size_t>(terminal_->rows(), 3) - 2;

  tg::ForestSnapshot forest = tg::ThreadEventsController::instance().snapshot();
  // The painter is not part of the picture.
  std::erase_if(forest.nodes, [&](const tg::NodeSnapshot& node) { return node.id == painter_.id(); });
  std::vector<StyledLine> block{progress_line(group_.statistics())};
  for (StyledLine& line : draw_tree(forest, {room, terminal_->columns()}, terminal_->unicode()))
    block.push_back(std::move(line));

  const std::size_t left = room + 1 - std::min(room + 1, block.size());
  for (const std::string& happening : journal_.recent(std::min(left, kMostHappenings))) {
    block.push_back(StyledLine().add(happening, Style::dim));
  }
  terminal_->draw(block);
}

void LiveView::print_progress() {
  const tg::GroupStatistics counts = group_.statistics();
  const std::string progress =
      fmt::format("{} of {} done, {} running, {} pending, {} of {} verified", counts.done(), counts.total(),
                  counts.running, counts.pending, verification_.verified(), need_);
  if (progress == last_progress_) return;
  last_progress_ = progress;
  journal_.say(progress);
}

}  // namespace verify_users

// SPDX-License-Identifier: Apache-2.0
// Drawing the forest.
#include "tree_picture.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <numeric>
#include <string>

#include <fmt/format.h>

namespace verify_users {
namespace {

struct Glyphs {
  const char* branch;
  const char* last_branch;
  const char* trunk;
  const char* gap = "   ";
};
constexpr Glyphs kUnicode{"├─ ", "└─ ", "│  "};
constexpr Glyphs kAscii{"|- ", "`- ", "|  "};

struct Row {
  const tg::NodeSnapshot* node = nullptr;
  bool shown = false;
  std::size_t hidden = 0;                   // descendants without a line
  std::vector<std::size_t> shown_children;  // indices of rows
};

// The main thread's tree first, because it is the one that matters, even if others were made earlier.
tg::ForestSnapshot main_thread_first(tg::ForestSnapshot forest) {
  bool in_main = false;
  const auto is_in_main = [&](const tg::NodeSnapshot& node) {
    if (!node.parent) in_main = node.kind == tg::NodeKind::main_thread;
    return in_main;
  };
  std::vector<tg::NodeSnapshot> others;
  std::vector<tg::NodeSnapshot> ordered;
  for (tg::NodeSnapshot& node : forest.nodes)
    (is_in_main(node) ? ordered : others).push_back(std::move(node));
  std::ranges::move(others, std::back_inserter(ordered));
  return {std::move(ordered)};
}

// Which nodes get a line: the nearest to the roots first. The nodes of a snapshot come parents first.
std::vector<Row> choose_rows(const tg::ForestSnapshot& forest, std::size_t max_lines) {
  const auto& nodes = forest.nodes;
  std::vector<std::size_t> by_depth(nodes.size());
  std::iota(by_depth.begin(), by_depth.end(), std::size_t{0});
  std::ranges::stable_sort(by_depth, {}, [&](std::size_t i) { return nodes[i].depth; });

  std::vector<Row> rows(nodes.size());
  for (std::size_t rank = 0; rank < by_depth.size(); ++rank) rows[by_depth[rank]].shown = rank < max_lines;

  std::map<tg::GroupId, std::size_t> row_of;  // for a hidden node, its nearest shown ancestor
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    rows[i].node = &nodes[i];
    row_of[nodes[i].id] = i;
    if (!nodes[i].parent) continue;
    const std::size_t above = row_of.at(*nodes[i].parent);
    if (rows[i].shown) {
      rows[above].shown_children.push_back(i);
    } else {
      rows[above].hidden += 1;
      row_of[nodes[i].id] = above;
    }
  }
  return rows;
}

std::string label_of(const tg::NodeSnapshot& node) {
  switch (node.kind) {
    case tg::NodeKind::daemon:
    case tg::NodeKind::scope:
    case tg::NodeKind::shield:
    case tg::NodeKind::call:
      return node.name + " (" + to_string(node.kind) + ")";
    case tg::NodeKind::foreign_thread:
      return node.name + " (thread)";
    case tg::NodeKind::main_thread:
    case tg::NodeKind::group:
      break;
  }
  return node.name;
}

struct Words {
  const char* running;
  const char* pending;
  const char* done;
};
constexpr Words kLongWords{"running  ", "pending  ", "done"};
constexpr Words kShortWords{"run ", "wait ", "done"};

void add_counts(StyledLine& line, const tg::GroupStatistics& counts, const Words& words) {
  const auto add = [&](std::uint64_t count, const char* what, Style style) {
    line.add(fmt::format("{:>4} {}", count, what), count == 0 ? Style::dim : style);
  };
  add(counts.running, words.running, Style::green);
  add(counts.pending, words.pending, Style::plain);
  add(counts.done(), words.done, Style::plain);
}

// The reason in full, or its kind alone in a narrow window.
void add_event(StyledLine& line, const tg::NodeSnapshot& node, std::size_t columns) {
  if (!node.event_is_set) return;
  line.add("   stop: ", Style::bold);
  if (!node.reason) return;
  line.add(to_string(node.reason->kind), Style::yellow);
  const bool from_above = node.reason->origin != node.id;
  const std::string& message = node.reason->message;
  const std::string rest = from_above        ? " from " + node.reason->origin_path
                           : message.empty() ? ""
                                             : ", " + message;
  if (line.columns() + columns_of(rest) <= columns) line.add(rest, from_above ? Style::dim : Style::plain);
}

class Picture {
 public:
  Picture(const std::vector<Row>& rows, std::size_t columns, const Glyphs& glyphs)
      : rows_(rows), columns_(columns), glyphs_(glyphs) {}

  std::vector<StyledLine> draw() {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].shown && !rows_[i].node->parent) add(i, "", "");
    }
    align_and_fill();
    return std::move(lines_);
  }

 private:
  // Goes no deeper than there are lines.
  void add(std::size_t index, const std::string& before, const std::string& before_children) {
    const Row& row = rows_[index];
    StyledLine line;
    line.add(before, Style::dim)
        .add(label_of(*row.node), row.node->kind == tg::NodeKind::group ? Style::plain : Style::bold);
    if (row.hidden > 0) line.add(fmt::format(" +{}", row.hidden), Style::cyan);
    lines_.push_back(std::move(line));
    drawn_.push_back(&row);
    for (std::size_t n = 0; n < row.shown_children.size(); ++n) {
      const bool last = n + 1 == row.shown_children.size();
      add(row.shown_children[n], before_children + (last ? glyphs_.last_branch : glyphs_.branch),
          before_children + (last ? glyphs_.gap : glyphs_.trunk));
    }
  }

  void align_and_fill() {
    std::size_t widest = 0;
    for (const StyledLine& line : lines_) widest = std::max(widest, line.columns());
    constexpr std::size_t kLongLine = 70;  // the words, and the kind of an event
    const Words& words = widest + kLongLine <= columns_ ? kLongWords : kShortWords;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const tg::NodeSnapshot& node = *drawn_[i]->node;
      const bool has_tasks = node.kind == tg::NodeKind::group || node.kind == tg::NodeKind::daemon;
      if (has_tasks || node.event_is_set) lines_[i].pad_to(widest);
      if (has_tasks) add_counts(lines_[i], node.counts, words);
      add_event(lines_[i], node, columns_);
    }
  }

  const std::vector<Row>& rows_;
  const std::size_t columns_;
  const Glyphs& glyphs_;
  std::vector<StyledLine> lines_;
  std::vector<const Row*> drawn_;
};

}  // namespace

std::vector<StyledLine> draw_tree(const tg::ForestSnapshot& forest, PictureSize size, bool unicode) {
  const tg::ForestSnapshot ordered = main_thread_first(forest);
  const std::vector<Row> rows = choose_rows(ordered, size.lines);
  return Picture(rows, size.columns, unicode ? kUnicode : kAscii).draw();
}

}  // namespace verify_users

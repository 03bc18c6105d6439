// SPDX-License-Identifier: Apache-2.0
// The forest of groups as lines for a terminal: the same tree as tg::to_text, but it fits the screen.
#pragma once

#include <cstddef>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "styled_line.hpp"

namespace verify_users {

struct PictureSize {
  std::size_t lines;
  std::size_t columns;
};

// One line per group: its place in the tree, its tasks, and its event with the reason. If there are more
// groups than lines, those far from the roots are hidden, and their parent says how many it hides. In narrow
// windows the words are shorter. `unicode` allows box drawing.
std::vector<StyledLine> draw_tree(const tg::ForestSnapshot& forest, PictureSize size, bool unicode);

}  // namespace verify_users

// SPDX-License-Identifier: Apache-2.0
// The terminal behind stdout, if there is one: what it can do, and a block of lines that is redrawn in place.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "styled_line.hpp"

namespace verify_users {

class Terminal {
 public:
  // None if stdout is no terminal, or one on which nothing can be redrawn (TERM=dumb).
  static std::optional<Terminal> find();

  bool unicode() const { return unicode_; }
  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return width_; }

  void measure();  // people resize their windows

  // Draws the block over the one before. A block of more than rows() - 1 lines is cut: what scrolls away
  // cannot be redrawn.
  void draw(const std::vector<StyledLine>& block);

 private:
  Terminal();
  std::size_t rows_that_last_block_takes() const;

  bool unicode_;
  bool colour_;
  std::size_t width_ = 80;
  std::size_t rows_ = 24;
  std::vector<std::size_t> last_block_;  // columns of each line on the screen
};

}  // namespace verify_users

// SPDX-License-Identifier: Apache-2.0
// Drawing in place with a handful of ANSI sequences.
#include "terminal.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace verify_users {

std::optional<Terminal> Terminal::find() {
  const char* const term = std::getenv("TERM");
  const bool can_draw = term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
  if (!can_draw || ::isatty(STDOUT_FILENO) == 0) return std::nullopt;
  return Terminal();
}

Terminal::Terminal()
    : unicode_(std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0),
      colour_(std::getenv("NO_COLOR") == nullptr) {
  measure();
}

void Terminal::measure() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return;
  if (size.ws_col > 0) width_ = size.ws_col;
  if (size.ws_row > 0) rows_ = size.ws_row;
}

std::size_t Terminal::rows_that_last_block_takes() const {
  // If the window was made narrower, the old lines are wrapped by now.
  std::size_t rows = 0;
  for (const std::size_t columns : last_block_)
    rows += std::max<std::size_t>(1, (columns + width_ - 1) / width_);
  return std::min(rows, rows_ - 1);
}

void Terminal::draw(const std::vector<StyledLine>& block) {
  std::string out;
  const std::size_t up = rows_that_last_block_takes();
  if (up > 0) out += fmt::format("\x1b[{}A", up);
  out += '\r';
  last_block_.clear();
  for (const StyledLine& line : block) {
    if (last_block_.size() + 1 >= rows_) break;
    // One column stays free: after the last one, terminals differ in where the cursor is.
    const std::size_t width = width_ - 1;
    out += line.render(width, colour_) + "\x1b[K\n";
    last_block_.push_back(std::min(line.columns(), width));
  }
  out += "\x1b[J";
  std::fwrite(out.data(), 1, out.size(), stdout);  // in one piece: no flicker
  std::fflush(stdout);
}

}  // namespace verify_users

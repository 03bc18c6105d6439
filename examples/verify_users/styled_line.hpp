// SPDX-License-Identifier: Apache-2.0
// A line of text in styles, cut to the width of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace verify_users {

enum class Style { plain, bold, dim, green, yellow, red, cyan };

// Columns that the text takes on a terminal; characters that have no width, or that this locale lacks, count
// as one.
std::size_t columns_of(std::string_view text);

// As much of the text as fits into so many columns. Control characters and broken sequences become '?', so
// that a user's name cannot move the cursor.
std::string fitting(std::string_view text, std::size_t columns);

class StyledLine {
 public:
  StyledLine& add(std::string text, Style style = Style::plain);
  StyledLine& pad_to(std::size_t columns);

  std::size_t columns() const;

  // At most `width` columns.
  std::string render(std::size_t width, bool colour) const;

 private:
  struct Part {
    std::string text;
    Style style;
  };
  std::vector<Part> parts_;
};

}  // namespace verify_users

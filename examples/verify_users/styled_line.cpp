// SPDX-License-Identifier: Apache-2.0
// Measuring and cutting text for a terminal.
#include "styled_line.hpp"

#include <algorithm>
#include <cwchar>

namespace verify_users {
namespace {

struct Character {
  std::string_view bytes;
  std::size_t columns;
};

// The first character of a text that is not empty, in the encoding of the locale.
Character first_character(std::string_view text) {
  std::mbstate_t state{};
  wchar_t wide = 0;
  const std::size_t length = std::mbrtowc(&wide, text.data(), text.size(), &state);
  if (length == 0 || length > text.size()) return {"?", 1};  // NUL, or no character of this encoding
  const int columns = ::wcwidth(wide);
  if (columns < 0) return {"?", 1};
  return {text.substr(0, length), static_cast<std::size_t>(columns)};
}

// Calls `use` for each character until it returns false.
template <class Use>
void for_each_character(std::string_view text, Use use) {
  while (!text.empty()) {
    const Character character = first_character(text);
    if (!use(character)) return;
    const bool replaced = character.bytes.data() != text.data();
    text.remove_prefix(replaced ? 1 : character.bytes.size());
  }
}

const char* escape_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\x1b[1m";
    case Style::dim:
      return "\x1b[2m";
    case Style::green:
      return "\x1b[32m";
    case Style::yellow:
      return "\x1b[33m";
    case Style::red:
      return "\x1b[31m";
    case Style::cyan:
      return "\x1b[36m";
  }
  return "";
}

}  // namespace

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for_each_character(text, [&](const Character& character) {
    columns += character.columns;
    return true;
  });
  return columns;
}

std::string fitting(std::string_view text, std::size_t columns) {
  std::string fits;
  for_each_character(text, [&](const Character& character) {
    if (character.columns > columns) return false;
    columns -= character.columns;
    fits += character.bytes;
    return true;
  });
  return fits;
}

StyledLine& StyledLine::add(std::string text, Style style) {
  parts_.push_back({std::move(text), style});
  return *this;
}

StyledLine& StyledLine::pad_to(std::size_t columns) {
  const std::size_t now = this->columns();
  if (now < columns) add(std::string(columns - now, ' '));
  return *this;
}

std::size_t StyledLine::columns() const {
  std::size_t columns = 0;
  for (const Part& part : parts_) columns += columns_of(part.text);
  return columns;
}

std::string StyledLine::render(std::size_t width, bool colour) const {
  std::string line;
  for (const Part& part : parts_) {
    const std::string text = fitting(part.text, width);
    const bool styled = colour && part.style != Style::plain;
    if (styled) line += escape_of(part.style);
    line += text;
    if (styled) line += "\x1b[0m";
    width -= columns_of(text);
    if (width == 0) break;
  }
  return line;
}

}  // namespace verify_users

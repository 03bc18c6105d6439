// SPDX-License-Identifier: Apache-2.0
// Shows control characters and what is not UTF-8.
#include "base/escaped.hpp"

#include <cstddef>
#include <cstdint>

namespace tg::inline v0::detail {

namespace {

struct Decoded {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  // 0: the text does not begin with a character of UTF-8
};

// The first character. Refuses what is cut off, too long for its value, a surrogate, or above U+10FFFF.
Decoded decode(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return {};
  std::uint32_t code = first & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, bytes};
}

bool is_shown_as_it_is(std::uint32_t code) noexcept {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;  // C0, DEL, C1
  if (code < 0x061C) return true;
  const bool separates_lines = code == 0x2028 || code == 0x2029;
  const bool turns_direction = code == 0x061C || code == 0x200E || code == 0x200F ||
                               (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return !separates_lines && !turns_direction;
}

void append_hex(std::string& to, std::uint32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) to += "0123456789abcdef"[value >> shift & 0xF];
}

void append_escape(std::string& to, std::uint32_t code) {
  switch (code) {
    case '\n':
      to += "\\n";
      return;
    case '\r':
      to += "\\r";
      return;
    case '\t':
      to += "\\t";
      return;
    default:
      break;
  }
  to += code < 0x80 ? "\\x" : "\\u";
  append_hex(to, code, code < 0x80 ? 2 : 4);
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const Decoded next = decode(text);
    if (next.bytes == 0) {
      shown += "\\x";
      append_hex(shown, static_cast<unsigned char>(text.front()), 2);
    } else if (is_shown_as_it_is(next.code)) {
      shown += text.substr(0, next.bytes);
    } else {
      append_escape(shown, next.code);
    }
    text.remove_prefix(next.bytes == 0 ? 1 : next.bytes);
  }
  return shown;
}

std::string mended(std::string_view text) {
  std::string whole;
  whole.reserve(text.size());
  while (!text.empty()) {
    const Decoded next = decode(text);
    const bool belongs = next.bytes != 0 && next.code != 0;
    whole += belongs ? text.substr(0, next.bytes) : "\uFFFD";
    text.remove_prefix(belongs ? next.bytes : 1);
  }
  return whole;
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// What a codec must fulfil: load(save(x)) == x for each value, and a number in a file is loaded as it is or
// refused.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <threadgroup/detail/vault_json/codec.hpp>
#include <threadgroup/vault_json.hpp>

namespace tg::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

template <class T>
std::string saved(const T& value) {
  static const Key<T> key("key");
  return JsonKey(key).codec().encode(detail::ValueRef(new detail::TypedNode<T>(T(value))));
}
/// Throws what the codec throws.
template <class T>
T loaded(const std::string& text) {
  static const Key<T> key("key");
  return JsonKey(key).codec().decode(key.info(), nlohmann::json::parse(text)).template as<T>();
}

/// Floating numbers by their bits, so that -0.0 is not 0.0; all else by `==`.
template <class T>
bool same(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a == b && std::signbit(a) == std::signbit(b);
  } else {
    return a == b;
  }
}

template <class T>
bool comes_back(const T& value) {
  return same(loaded<T>(saved(value)), value);
}

/// Whether bytes are UTF-8, by the table of RFC 3629.
inline bool is_utf8(std::string_view s) {
  for (std::size_t i = 0; i < s.size();) {
    const auto at = [&s](std::size_t j) { return j < s.size() ? static_cast<unsigned char>(s[j]) : 0U; };
    const auto within = [&at](std::size_t j, unsigned low, unsigned high) {
      return at(j) >= low && at(j) <= high;
    };
    const auto tail = [&within](std::size_t j) { return within(j, 0x80, 0xbf); };
    const unsigned c = at(i);
    if (c < 0x80) {
      i += 1;
    } else if (c >= 0xc2 && c <= 0xdf && tail(i + 1)) {
      i += 2;
    } else if (c >= 0xe0 && c <= 0xef && within(i + 1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) &&
               tail(i + 2)) {
      i += 3;
    } else if (c >= 0xf0 && c <= 0xf4 && within(i + 1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) &&
               tail(i + 2) && tail(i + 3)) {
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

template <class F>
bool refuses(F&& f) {
  try {
    f();
    return false;
  } catch (const std::exception&) {
    return true;
  }
}

/// A whole number as it is written in a file: loaded exactly if the type holds it, else refused.
template <class T>
void check_integer_text(const std::string& digits) {
  std::optional<T> expected;
  T parsed{};
  if (digits == "-0") {
    expected = T{};
  } else if (const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
             error == std::errc() && end == digits.data() + digits.size()) {
    expected = parsed;
  }
  std::optional<T> got;
  try {
    got = loaded<T>(digits);
  } catch (const std::exception&) {
  }
  require(got == expected, "an integer was not loaded as it is written");
}

inline void check_integer_text_all(const std::string& digits) {
  check_integer_text<std::int8_t>(digits);
  check_integer_text<std::uint8_t>(digits);
  check_integer_text<std::int16_t>(digits);
  check_integer_text<std::uint16_t>(digits);
  check_integer_text<std::int32_t>(digits);
  check_integer_text<std::uint32_t>(digits);
  check_integer_text<std::int64_t>(digits);
  check_integer_text<std::uint64_t>(digits);
}

template <class T>
void check_real_bits(std::string_view bytes) {
  T value{};
  if (bytes.size() < sizeof value) return;
  std::memcpy(&value, bytes.data(), sizeof value);
  if (std::isfinite(value)) {
    require(comes_back(value), "a floating number did not come back");
    require(comes_back(std::vector<T>{value, -value}), "a list of floating numbers did not come back");
  } else {
    require(refuses([&] { saved(value); }), "NaN or infinity was written");
  }
}

/// A double as it is written in a file, read into a float: rounded, or refused; never infinity.
inline void check_float_text(const std::string& text) {
  try {
    require(std::isfinite(loaded<float>(text)), "a float became infinity");
  } catch (const std::exception&) {
  }
}

inline void check_codecs(std::string_view bytes) {
  const std::string all(bytes);
  require(is_utf8(bytes) ? comes_back(all) : refuses([&] { saved(all); }), "a string did not come back");
  check_real_bits<double>(bytes);
  check_real_bits<float>(bytes);

  std::string digits = bytes.empty() || bytes[0] % 2 == 0 ? "" : "-";
  for (const char c : bytes.substr(0, 21))
    digits += static_cast<char>('0' + static_cast<unsigned char>(c) % 10);
  const std::size_t first = digits.find_first_not_of("-0");
  digits = (digits.starts_with("-") ? "-" : "") + (first == std::string::npos ? "0" : digits.substr(first));
  check_integer_text_all(digits);
  check_float_text(digits + "e" + std::to_string(bytes.size() % 40));

  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), std::min(bytes.size(), sizeof word));
  const auto number = static_cast<std::int64_t>(word);
  const std::string text = is_utf8(bytes) ? all : "?";
  const auto fraction = static_cast<double>(number) / 1024;
  using Nested =
      std::map<std::string, std::vector<std::tuple<std::int64_t, std::uint64_t, double, std::string>>>;
  require(comes_back(Nested{{text, {{number, word, fraction, text}, {-1, 1, -0.0, ""}}}, {"", {}}}),
          "a nested value did not come back");
  using Pairs = std::map<std::int64_t, std::array<std::pair<bool, std::int8_t>, 2>>;
  require(comes_back(Pairs{{number, {{{true, static_cast<std::int8_t>(word)}, {false, std::int8_t{-128}}}}}}),
          "a map of pairs did not come back");
  require(comes_back(std::set<std::uint64_t>{word, word + 1}), "a set did not come back");
  require(comes_back(std::deque<std::list<std::uint16_t>>{{static_cast<std::uint16_t>(word)}, {}}),
          "lists did not come back");
}

}  // namespace tg::fuzz

// SPDX-License-Identifier: Apache-2.0
// Goes through a text, number by number.
#include "vault_json/rounding.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <stdexcept>

namespace tg::inline v0::detail {

namespace {

using nlohmann::json;

constexpr std::string_view kDigits = "0123456789";

// The parts of "-12.50e-3": "12", "50", "-3".
struct Decimal {
  explicit Decimal(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    const std::size_t end = std::min(text.find_first_of("eE"), text.size());
    if (end < text.size()) exponent = text.substr(end + 1);
    text = text.substr(0, end);
    const std::size_t point = std::min(text.find_first_not_of(kDigits), text.size());
    whole = text.substr(0, point);
    if (point < text.size()) fraction = text.substr(point + 1);
  }
  bool is_zero() const {
    return whole.find_first_not_of('0') == whole.npos && fraction.find_first_not_of('0') == fraction.npos;
  }
  // Requires: it is not 0, and a double can hold about as much.
  bool is_integer() const {
    long shift = 0;
    const std::string_view digits = exponent.starts_with('+') ? exponent.substr(1) : exponent;
    std::from_chars(digits.data(), digits.data() + digits.size(), shift);
    const std::size_t last = fraction.find_last_not_of('0');
    if (last != fraction.npos) return static_cast<long>(last) < shift;
    const auto zeros = static_cast<long>(whole.size() - 1 - whole.find_last_not_of('0'));
    return zeros + shift >= 0;
  }

  std::string_view whole;
  std::string_view fraction;
  std::string_view exponent;
};

class Finder final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t number, const string_t& text) override {
    const Decimal decimal(text);
    if (number == 0 && !decimal.is_zero()) {
      found.too_small = text;
      return false;
    }
    if (number != 0 && number == std::trunc(number) && !decimal.is_integer())
      found.whole.emplace_back(place(), text);
    return value();
  }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool start_object(std::size_t) override { return levels_.push_back({false, 0, {}}), true; }
  bool end_object() override { return levels_.pop_back(), value(); }
  bool start_array(std::size_t) override { return levels_.push_back({true, 0, {}}), true; }
  bool end_array() override { return levels_.pop_back(), value(); }
  bool key(string_t& name) override { return levels_.back().key = name, true; }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override { return false; }

  RoundedNumbers found;

 private:
  struct Level {
    bool is_list;
    std::size_t index;
    std::string key;
  };
  bool value() {
    if (!levels_.empty()) ++levels_.back().index;
    return true;
  }
  RoundedNumbers::Place place() const {
    RoundedNumbers::Place all;
    for (const Level& level : levels_) {
      if (level.is_list) {
        all /= level.index;
      } else {
        all /= level.key;
      }
    }
    return all;
  }

  std::vector<Level> levels_;
};

}  // namespace

RoundedNumbers rounded_numbers(std::string_view text) {
  Finder finder;
  static_cast<void>(json::sax_parse(text, &finder));
  return std::move(finder.found);
}

void require_kept_fractions(const RoundedNumbers& read, const json& written) {
  for (const auto& [place, text] : read.whole) {
    if (!written.contains(place) || !written.at(place).is_number_integer()) continue;
    const std::string where = place.to_string();
    throw std::invalid_argument(text + (where.empty() ? "" : " at " + where) +
                                " is not a whole number, and became " + written.at(place).dump());
  }
}

}  // namespace tg::inline v0::detail

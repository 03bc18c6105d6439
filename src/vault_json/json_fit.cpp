// SPDX-License-Identifier: Apache-2.0
// Checks of numbers before and after their conversion.
#include <threadgroup/detail/vault_json/json_fit.hpp>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include <threadgroup/detail/type_name.hpp>

namespace tg::inline v0::detail {

namespace {

using nlohmann::json;

// Where a `double` counts on in steps above 1: beyond, a number that is written with a fraction or an
// exponent may have been another integer in the file.
constexpr double kExactBelow = 9007199254740992.0;  // 2^53

std::string short_text(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

bool is_exact_integer(double real) { return std::abs(real) < kExactBelow && real == std::trunc(real); }

// What is nearer to 0 than to the smallest number of a `float` is rounded to 0.
bool is_zero_to_a_float(double real) {
  return real != 0 && std::abs(real) <= std::numeric_limits<float>::denorm_min() / 2.0;
}

// Whether `cut` is what a conversion of `whole` to an integer type of this many bits gives.
bool is_cut_to(unsigned bits, std::uint64_t whole, const json& cut) {
  const std::uint64_t mask = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
  const auto value = cut.get<std::uint64_t>();
  const std::uint64_t sign = std::uint64_t{1} << (bits - 1);
  const std::uint64_t low = whole & mask;
  const std::uint64_t extended = (low & sign) != 0 ? low | ~mask : low;
  const bool negative = cut.is_number_integer() && !cut.is_number_unsigned() && cut.get<std::int64_t>() < 0;
  return negative ? value == extended : value == low;
}

bool same_integer(const json& a, const json& b) {
  const auto is_negative = [](const json& n) { return !n.is_number_unsigned() && n.get<std::int64_t>() < 0; };
  return is_negative(a) == is_negative(b) && a.get<std::uint64_t>() == b.get<std::uint64_t>();
}

// Whether `written` is what processors make of a real number beyond a 32-bit type: its lowest or highest
// number, or 0 if the lowest one of `int` is then cut to 8 or 16 bits.
bool is_limit_below(std::int64_t whole, const json& written) {
  using Int = std::numeric_limits<std::int32_t>;
  constexpr std::int64_t highest_unsigned = std::numeric_limits<std::uint32_t>::max();
  const auto value = written.get<std::int64_t>();
  if (whole > highest_unsigned && value == highest_unsigned) return true;
  return (whole < Int::min() || whole > Int::max()) &&
         (value == Int::min() || value == Int::max() || value == 0);
}

bool is_cut(const json& read, const json& written) {
  if (read.is_number_float() && written == 0 && is_zero_to_a_float(read.get<double>())) return true;
  if (!written.is_number_integer()) return false;
  if (read.is_number_float()) {
    const auto real = read.get<double>();
    if (std::abs(real) >= kExactBelow) return true;
    const auto whole = static_cast<std::int64_t>(real);
    if (same_integer(whole, written)) return real != std::trunc(real);
    return is_cut(whole, written) || is_limit_below(whole, written);
  }
  if (same_integer(read, written)) return false;
  // A type may well reset a number on purpose; only for the wider types is a 0 surely a cut number.
  const bool is_zero = written.get<std::int64_t>() == 0;
  const auto whole = read.get<std::uint64_t>();
  for (const unsigned bits : {8U, 16U, 32U, 64U}) {
    if ((!is_zero || bits >= 32) && is_cut_to(bits, whole, written)) return true;
  }
  return false;
}

void require_uncut_at(const std::string& place, const json& read, const json& written) {
  if (read.is_number() && written.is_number()) {
    if (!is_cut(read, written)) return;
    throw std::invalid_argument(short_text(read) + (place.empty() ? "" : " at " + place) +
                                " does not fit the type that it is read into, and became " +
                                short_text(written));
  }
  if (read.is_array() && written.is_array() && read.size() == written.size()) {
    for (std::size_t i = 0; i < read.size(); ++i)
      require_uncut_at(place + "/" + std::to_string(i), read[i], written[i]);
  } else if (read.is_object() && written.is_object()) {
    for (const auto& [name, part] : read.items()) {
      const auto other = written.find(name);
      if (other != written.end()) require_uncut_at(place + "/" + name, part, *other);
    }
  }
}

}  // namespace

void throw_misfit(const json& value, const std::type_info& type) {
  throw std::invalid_argument(short_text(value) + " does not fit the type " + type_name(type));
}

void require_integer(const json& value, std::int64_t lowest, std::uint64_t highest,
                     const std::type_info& type) {
  bool fits = true;
  if (value.is_boolean()) {
    fits = false;  // nlohmann-json would take it for 0 or 1
  } else if (value.is_number_unsigned()) {
    fits = value.get<std::uint64_t>() <= highest;
  } else if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    fits = number < 0 ? number >= lowest : static_cast<std::uint64_t>(number) <= highest;
  } else if (value.is_number_float()) {
    const auto real = value.get<double>();
    fits = is_exact_integer(real) && (real < 0 ? static_cast<std::int64_t>(real) >= lowest
                                               : static_cast<std::uint64_t>(real) <= highest);
  }
  if (!fits) throw_misfit(value, type);
}

void require_real(const json& value, double smallest, double highest, const std::type_info& type) {
  if (!value.is_number())
    throw std::invalid_argument("a number is expected, not " + std::string(value.type_name()));
  const double size = std::abs(value.get<double>());
  // What is nearer to 0 than to the smallest number of the type would become 0.
  if (size > highest || (size != 0 && size <= smallest / 2)) throw_misfit(value, type);
}

void require_length(const json& value, std::size_t length) {
  if (value.size() == length) return;
  throw std::invalid_argument("a list of " + std::to_string(length) + " values is expected, not one of " +
                              std::to_string(value.size()));
}

void require_uncut(const json& read, const json& written) { require_uncut_at("", read, written); }

}  // namespace tg::inline v0::detail

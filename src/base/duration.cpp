// SPDX-License-Identifier: Apache-2.0
// Lengths of time as text.
#include <threadgroup/duration.hpp>

#include <fmt/format.h>

namespace tg {
inline namespace v0 {

namespace {
struct Unit {
  std::int64_t nanos;
  const char* name;
  bool whole_only;  // "90 s" reads better than "1.5 min"
};
constexpr Unit kUnits[] = {{3'600'000'000'000, "h", true}, {60'000'000'000, "min", true},
                           {1'000'000'000, "s", false},    {1'000'000, "ms", false},
                           {1'000, "us", false},           {1, "ns", false}};
}  // namespace

std::string to_string(Duration duration) {
  if (duration.is_forever()) return "forever";
  const std::int64_t nanos = duration.nanos();
  if (nanos == 0) return "0 s";
  const auto fits = [nanos](const Unit& unit) {
    const std::int64_t whole = nanos / unit.nanos;
    return whole != 0 && (!unit.whole_only || whole * unit.nanos == nanos);
  };
  const Unit* unit = kUnits;
  while (!fits(*unit)) ++unit;
  std::string text = fmt::format("{:.3f}", static_cast<double>(nanos) / static_cast<double>(unit->nanos));
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + ' ' + unit->name;
}

}  // namespace v0
}  // namespace tg

// SPDX-License-Identifier: Apache-2.0
// What can be gone through by a range-based `for`.
#pragma once

#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

// The ends of a range are found as a range-based `for` finds them: arrays, then members, then by
// argument-dependent lookup. The header <ranges> has this and much more; it costs a tenth of the time to compile `core.hpp`.
namespace range_access {
void begin() = delete;  // so that argument-dependent lookup alone finds others
void end() = delete;

template <class R>
concept HasMembers = requires(R& range) {
  range.begin();
  range.end();
};
template <class T, std::size_t N>
T* begin_of(T (&array)[N]) noexcept {
  return array;
}
template <class T, std::size_t N>
T* end_of(T (&array)[N]) noexcept {
  return array + N;
}
template <class R>
requires HasMembers<R>
decltype(auto) begin_of(R& range) { return range.begin(); }
template <class R>
requires HasMembers<R>
decltype(auto) end_of(R& range) { return range.end(); }
template <class R>
requires(!std::is_array_v<R> && !HasMembers<R>) auto begin_of(R& range) -> decltype(begin(range)) {
  return begin(range);
}
template <class R>
requires(!std::is_array_v<R> && !HasMembers<R>) auto end_of(R& range) -> decltype(end(range)) {
  return end(range);
}
template <class R>
concept HasEnds = requires(R& range) {
  begin_of(range) != end_of(range);
};
}  // namespace range_access

/// The iterator of a range, given as a reference: `RangeIterator<const std::vector<int>&>`.
template <class R>
using RangeIterator = std::remove_cvref_t<decltype(range_access::begin_of(std::declval<R&>()))>;

/// `for (auto&& each : range)` compiles. `R` is a range or a reference to one.
template <class R>
concept InputRange =
    range_access::HasEnds<std::remove_reference_t<R>> && std::input_iterator<RangeIterator<R&>>;

template <class R>
using RangeReference = std::iter_reference_t<RangeIterator<R&>>;
template <class R>
using RangeValue = std::iter_value_t<RangeIterator<R&>>;

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// What can be gone through by a range-based `for`.
#pragma once

#include <iterator>

#include <threadgroup/detail/config.hpp>

namespace tg::detail {

// In a namespace of its own: `begin` and `end` are found as a range-based `for` finds them, by
// argument-dependent lookup, too. The header <ranges> has this and much more; it costs a tenth of the time to
// compile `core.hpp`.
namespace range_access {
using std::begin;
using std::end;
template <class R>
using Iterator = decltype(begin(static_cast<R (*)()>(nullptr)()));
template <class R>
concept HasEnds = requires(R range) {
  begin(range) != end(range);
};
}  // namespace range_access

/// The iterator of a range, given as a reference: `RangeIterator<const std::vector<int>&>`.
template <class R>
using RangeIterator = range_access::Iterator<R>;

/// `for (auto&& each : range)` compiles. `R` is a range or a reference to one.
template <class R>
concept InputRange = range_access::HasEnds<R&> && std::input_iterator<RangeIterator<R&>>;

template <class R>
using RangeReference = std::iter_reference_t<RangeIterator<R&>>;
template <class R>
using RangeValue = std::iter_value_t<RangeIterator<R&>>;

}  // namespace tg::detail

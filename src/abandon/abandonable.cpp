// SPDX-License-Identifier: Apache-2.0
// The bound of the process.
#include <threadgroup/abandonable.hpp>

#include <stdexcept>

#include "abandon/call_bound.hpp"

namespace tg::inline v0 {

void set_max_abandonable_calls(std::size_t most) {
  if (most == 0) throw std::invalid_argument("set_max_abandonable_calls: at least one call must be possible");
  detail::CallBound::instance().set_most(most);
}

}  // namespace tg::inline v0

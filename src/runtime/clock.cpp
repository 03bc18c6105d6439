// SPDX-License-Identifier: Apache-2.0
// The time, for users.
#include <threadgroup/clock.hpp>

#include "runtime/steady_clock.hpp"

namespace tg {
inline namespace v0 {

TimePoint now() noexcept { return runtime::now(); }

}  // namespace v0
}  // namespace tg

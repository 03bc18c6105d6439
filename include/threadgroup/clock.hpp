// SPDX-License-Identifier: Apache-2.0
// The library's clock.
#pragma once

#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>

namespace tg {
inline namespace v0 {

/// The current time on the steady clock that deadlines, `Reason::when` and reports use.
///
///     const tg::Duration since = tg::now() - reason.when;
///
/// Thread safety: from any thread.
TG_EXPORT TimePoint now() noexcept;

}  // namespace v0
}  // namespace tg

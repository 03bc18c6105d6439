// SPDX-License-Identifier: Apache-2.0
// The stop token of the calling flow.
#pragma once

#include <stop_token>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::detail {

/// A token that is stopped together with the innermost scope of the calling flow, or else with the group whose
/// task it runs; outside both, one that is never stopped.
TG_EXPORT std::stop_token token_of_caller();

}  // namespace tg::inline v0::detail

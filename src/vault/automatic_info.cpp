// SPDX-License-Identifier: Apache-2.0
// What the stop of an automatic's group tells the vault.
#include <threadgroup/detail/vault/automatic_info.hpp>

#include <threadgroup/detail/vault/core.hpp>

namespace tg::inline v0::detail {

void TellWaiters::operator()() const noexcept { core->tell_waiters(); }

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// What a call tells the vault.
#include <threadgroup/detail/vault/production.hpp>

#include <string>

#include <threadgroup/detail/current_failure.hpp>
#include <threadgroup/detail/vault/core.hpp>

namespace tg::inline v0::detail {

Production::~Production() {
  if (announced()) core_.end(*this, CallEnd::failed, "it was skipped");  // short: needs no memory
}

void Production::announce() noexcept {
  if (function_ != kNone) core_.announce(*this);
}

void Production::end() noexcept {
  if (announced()) core_.end(*this, CallEnd::returned, {});
}

void Production::fail(const std::exception_ptr& error) noexcept {
  if (announced()) core_.end(*this, CallEnd::failed, describe_if_possible(error));
}

void Production::withdraw() noexcept {
  if (announced()) core_.end(*this, CallEnd::withdrawn, {});
}

}  // namespace tg::inline v0::detail

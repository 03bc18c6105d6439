// SPDX-License-Identifier: Apache-2.0
// Outcomes and errors of vaults, in words.
#include <threadgroup/vault_types.hpp>

#include <utility>

#include "base/escaped.hpp"

namespace tg {
inline namespace v0 {

const char* to_string(KeyWait outcome) noexcept {
  switch (outcome) {
    case KeyWait::present:
      return "present";
    case KeyWait::event_set:
      return "event_set";
    case KeyWait::timed_out:
      return "timed_out";
    case KeyWait::producer_failed:
      return "producer_failed";
  }
  return "unknown";
}

VaultError::VaultError(std::string key, const std::string& text)
    : std::runtime_error(detail::escaped(text)), key_(std::move(key)) {}

}  // namespace v0
}  // namespace tg

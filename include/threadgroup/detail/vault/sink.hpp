// SPDX-License-Identifier: Apache-2.0
// What keeps a copy of a vault's values elsewhere, in a file for instance.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/detail/vault/value.hpp>

namespace tg::detail {

/// The form in which a value is kept elsewhere; null: it is not.
using EncodedValue = std::shared_ptr<const std::string>;

/// The encoded values of one moment, in the order of the vault's keys.
struct EncodedVault {
  std::uint64_t revision = 0;
  std::vector<std::pair<std::string, EncodedValue>> values;
};

/// Keeps a copy of a vault elsewhere. No call is made under a lock.
class VaultSink {
 public:
  VaultSink() = default;
  VaultSink(const VaultSink&) = delete;
  VaultSink& operator=(const VaultSink&) = delete;
  virtual ~VaultSink() = default;

  /// The value in the sink's form; null for an empty one, of a key that is taken out. May run the user's
  /// code, and throw: then the change is not made.
  virtual EncodedValue encode(std::size_t slot, const ValueRef& value) = 0;
  /// The vault has this revision now: returns once it is kept. Throws if it cannot be.
  virtual void persist(std::uint64_t revision) = 0;
};

}  // namespace tg::detail

// SPDX-License-Identifier: Apache-2.0
// The interface of an object that keeps a copy of a vault's values, for instance in a file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/vault/value.hpp>

namespace tg::inline v0::detail {

/// A value in the form in which a sink keeps it; null for a value that is not kept.
using EncodedValue = std::shared_ptr<const std::string>;

/// The encoded values of one moment, in the order of the vault's keys.
struct EncodedVault {
  std::uint64_t revision = 0;
  std::vector<std::pair<std::string, EncodedValue>> values;
};

/// Keeps a copy of a vault elsewhere. No call is made under a lock.
class TG_EXPORT VaultSink {
 public:
  VaultSink() = default;
  VaultSink(const VaultSink&) = delete;
  VaultSink& operator=(const VaultSink&) = delete;
  virtual ~VaultSink() = default;

  /// The value in the sink's form; null for an empty one, of a key whose value is removed. It may run the
  /// user's code. If it throws, the change is not made.
  virtual EncodedValue encode(std::size_t slot, const ValueRef& value) = 0;
  /// Keeps the values of this revision, which the vault has now. Returns when they are kept; throws if they
  /// cannot be kept.
  virtual void persist(std::uint64_t revision) = 0;
};

}  // namespace tg::inline v0::detail

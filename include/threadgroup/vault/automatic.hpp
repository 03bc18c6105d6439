// SPDX-License-Identifier: Apache-2.0
// The user's end of a function that runs by itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <threadgroup/vault/core.hpp>

namespace tg {

/// A function that a vault runs by itself; see `Vault::automatic`. It goes on when this object is gone.
///
/// Thread safety: everything from any thread. Lifetime: keeps the vault's contents alive.
class Automatic {
 public:
  Automatic(std::shared_ptr<detail::VaultCore> core, std::size_t index)
      : core_(std::move(core)), index_(index) {}

  const std::string& name() const { return core_->automatic(index_).name; }
  /// How often the function has run, failures included.
  std::uint64_t runs() const { return core_->runs(index_); }
  /// Its line in the vault's `explain`.
  std::string explain() const { return core_->explain_one(index_); }

 private:
  std::shared_ptr<detail::VaultCore> core_;
  std::size_t index_;
};

}  // namespace tg

// SPDX-License-Identifier: Apache-2.0
// What a vault throws: each error names the key that it is about.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <threadgroup/base/escaped.hpp>

namespace tg {

/// The base of all errors of vaults.
class VaultError : public std::runtime_error {
 public:
  /// The text is shown with its control characters escaped, the key is kept as it is.
  VaultError(std::string key, const std::string& text)
      : std::runtime_error(detail::escaped(text)), key_(std::move(key)) {}
  /// The name of the key in question; empty if there is no single one.
  const std::string& key() const noexcept { return key_; }

 private:
  std::string key_;
};

/// The vault was made without this key.
class UnknownKeyError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// There are two keys of one name and two types.
class KeyTypeError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// The key holds no value.
class MissingKeyError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// The key holds a value already, and neither the vault nor the call permits to modify it.
class KeyExistsError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// A validator or the modifier refused the value, or it cannot be written where the vault is kept.
class ValueRejectedError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// The key's value comes from a source that this vault only reads.
class ReadOnlyKeyError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// An automatic has all its inputs and cannot run, because its group has been destroyed. The inserted values
/// are in the vault.
class GroupGoneError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// A function cannot be declared like this: a cycle, or a key that would have two producers.
class DeclarationError : public VaultError {
 public:
  using VaultError::VaultError;
};

}  // namespace tg

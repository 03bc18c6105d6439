// SPDX-License-Identifier: Apache-2.0
// The options, outcomes and errors of vaults.
#pragma once

#include <stdexcept>
#include <string>

#include <threadgroup/detail/export.hpp>

namespace tg {
inline namespace v0 {

/// Options of a `Vault`.
struct VaultOptions {
  bool permit_modification = false;  ///< `insert` replaces an existing value instead of throwing
};

/// How a wait for keys ended.
enum class [[nodiscard]] KeyWait{
    present,          ///< the key holds a value
    event_set,        ///< the event of the caller's scope or group was set first
    timed_out,        ///< the time-out passed first
    producer_failed,  ///< no known producer can store it any more; one failed, was stopped or was skipped
};
/// The enumerator's name: "present".
TG_EXPORT const char* to_string(KeyWait outcome) noexcept;

/// A key and its value as text.
struct VaultEntry {
  std::string name;   ///< the name of the key
  std::string value;  ///< the value as `Printer` prints it
};

/// Options of one `Vault::insert` or `Vault::insert_all`.
struct InsertOptions {
  bool permit_modification = false;  ///< replace an existing value instead of throwing
};
/// Replaces an existing value: `vault.insert(key, value, tg::permit_modification)`.
inline constexpr InsertOptions permit_modification{.permit_modification = true};

/// How a function is bound to keys.
struct BindOptions {
  std::string name = {};               ///< in errors, reports and pictures; made from the keys if empty
  bool output_replaces_input = false;  ///< a key may be input and output: the result replaces the input
  bool clean_outputs = false;          ///< remove the outputs' values before the function runs
  bool permit_modification = false;    ///< outputs replace existing values
};

/// The base of all errors of vaults.
class TG_EXPORT VaultError : public std::runtime_error {
 public:
  /// `what` shows the text with its control characters escaped. The key is kept unchanged.
  VaultError(std::string key, const std::string& text);
  /// The name of the key that the error is about; empty if there is no single one.
  const std::string& key() const noexcept { return key_; }

 private:
  std::string key_;
};

/// The vault was made without this key.
class TG_EXPORT UnknownKeyError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// Two keys have the same name and different types.
class TG_EXPORT KeyTypeError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// The key holds no value.
class TG_EXPORT MissingKeyError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// The key holds a value, and neither the vault nor the call permits modification.
class TG_EXPORT KeyExistsError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// A validator or a modifier refused the value, or the vault's resource cannot represent it.
class TG_EXPORT ValueRejectedError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// The key's value comes from a resource that is only read, so it cannot be changed here.
class TG_EXPORT ReadOnlyKeyError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// An automatic has all its inputs and cannot run, because its group has been destroyed. The inserted values
/// are in the vault.
class TG_EXPORT GroupGoneError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// A function cannot be declared like this: it would close a cycle, or a key would have two producers, or a
/// key is both input and output without `BindOptions::output_replaces_input`.
class TG_EXPORT DeclarationError : public VaultError {
 public:
  using VaultError::VaultError;
};

}  // namespace v0
}  // namespace tg

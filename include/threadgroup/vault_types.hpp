// SPDX-License-Identifier: Apache-2.0
// A vault's options, outcomes and errors.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace tg {

struct VaultOptions {
  bool permit_modification = false;  ///< inserting replaces a value that is there, instead of throwing
};

/// What became of a wait for a key.
enum class [[nodiscard]] KeyWait{
    present,          ///< the key holds a value
    event_set,        ///< the caller's group was stopped first
    timed_out,        ///< the time was up first
    producer_failed,  ///< no known function will store it any more, and one failed, was stopped or skipped
};
const char* to_string(KeyWait outcome) noexcept;

/// A key and its value, for people.
struct VaultEntry {
  std::string name;
  std::string value;
};

struct InsertOptions {
  bool permit_modification = false;
};
/// `vault.insert(key, value, tg::permit_modification)`: replaces a value that is there.
inline constexpr InsertOptions permit_modification{.permit_modification = true};

/// How a function is bound to keys.
struct BindOptions {
  std::string name = {};               ///< in errors, reports and pictures; made from the keys if empty
  bool output_replaces_input = false;  ///< a key may be input and output: the result takes its place
  bool clean_outputs = false;          ///< take the outputs out before the function runs
  bool permit_modification = false;    ///< outputs replace values that are there
};

/// The base of all errors of vaults.
class VaultError : public std::runtime_error {
 public:
  /// The text is shown with its control characters escaped, the key is kept as it is.
  VaultError(std::string key, const std::string& text);
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

// SPDX-License-Identifier: Apache-2.0
// The text of a vault's file: reading it with errors that say where, and writing it.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <threadgroup/event/stopped.hpp>
#include <threadgroup/vault/core.hpp>
#include <threadgroup/vault_json/codec.hpp>

namespace tg {

/// A file could not be read, understood or written. The text names the file and, where there is one, the line
/// and column and the key.
class ResourceError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// The caller was stopped while a disk did not answer. Reading: nothing has changed. Writing: the value is in
/// the vault, and is written to the file if the disk answers later.
class ResourceInterrupted : public Stopped {
 public:
  using Stopped::Stopped;
};

/// What to do with a name in the file that is no key.
enum class UnknownKeys {
  refuse,  ///< the file is not loaded
  ignore,  ///< it is left alone, and kept when the file is written
};

namespace detail {

/// The codecs of a vault's keys, by slot; empty ones for keys that are not in the file.
struct JsonSchema {
  JsonSchema(const VaultCore& core, const JsonKeys& keys);
  std::vector<JsonCodec> codecs;
  std::vector<std::size_t> slots;  // those that have one
};

/// A file's contents: values for the vault, and the members that were ignored.
struct Document {
  std::vector<Change> values;  // with their text as `encoded`
  std::vector<std::pair<std::string, std::string>> ignored;
};

/// Reads a document. Throws `ResourceError`; runs the user's `from_json` and validators.
Document read_document(std::string_view text, const std::string& file, const VaultCore& core,
                       const JsonSchema& schema, UnknownKeys unknown);

/// One member per line, the vault's values first.
std::string write_document(const EncodedVault& vault,
                           const std::vector<std::pair<std::string, std::string>>& ignored);

}  // namespace detail
}  // namespace tg

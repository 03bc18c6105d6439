// SPDX-License-Identifier: Apache-2.0
// The text of a vault's file: reading it with errors that say where, and writing it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <threadgroup/detail/vault/core.hpp>
#include <threadgroup/detail/vault_json/codec.hpp>
#include <threadgroup/vault_json.hpp>

namespace tg::inline v0::detail {

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

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// A vault's values in a JSON file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <threadgroup/base/duration.hpp>
#include <threadgroup/vault/vault.hpp>
#include <threadgroup/vault_json/codec.hpp>
#include <threadgroup/vault_json/document.hpp>

namespace tg {

enum class JsonMode {
  write,      ///< start a new file, in place of one that is there
  append,     ///< load the file, if there is one, and go on with it
  read,       ///< load the file; it is not written, and its keys cannot be
  read_live,  ///< the same, and follow the file when somebody else replaces it
};

enum class JsonSync {
  every_change,  ///< a change is on the disk when the call that makes it returns
  batched,       ///< changes go to the disk together, at most an interval later
};

struct JsonOptions {
  JsonSync sync = JsonSync::every_change;
  UnknownKeys unknown_keys = UnknownKeys::refuse;
  Duration interval = std::chrono::milliseconds(100);  ///< of batches, and of looks at a followed file
};

namespace detail {
class JsonFile;
}

/// Keeps the values of a vault in a file, or takes them from one.
///
///     tg::JsonResource file{"state.json", tg::JsonMode::append};
///     file.attach(vault, keyring);               // or: {key_a, key_b}
///
/// With `append`, a program that is run again after a crash finds what it had stored; automatics declared
/// afterwards run only if one of their outputs is absent.
///
/// Requires: one writing process per file, and one writing resource per vault.
/// Guarantees: the file is replaced as a whole: whoever reads it, also after a crash, finds the values of one
/// moment. A file that cannot be loaded leaves the vault as it was. Keys whose type is not JSON-able are left
/// out. Validators check what is loaded; modifiers do not run again. If a value is in the vault and the file
/// cannot be written, the call throws `ResourceError`; the next change tries again with everything. Thread
/// safety: everything from any thread, but for the destructor. Lifetime: the destructor writes what is left
/// and lets go of the vault; afterwards changes are not kept any more.
class JsonResource {
 public:
  JsonResource(const std::filesystem::path& path, JsonMode mode, JsonOptions options = {});
  JsonResource(const JsonResource&) = delete;
  JsonResource& operator=(const JsonResource&) = delete;
  ~JsonResource();

  /// Loads the file (but for `write`) and ties it to the vault. Throws `ResourceError`, which names the file,
  /// the place in it and the key. Once in the life of a resource.
  void attach(Vault& vault, const JsonKeys& keys);

  /// Returns once everything is on the disk. Throws `ResourceError`.
  void flush();
  /// Of a file that is read: takes over what has changed in it, now. True if something had. A file that
  /// cannot be loaded throws `ResourceError` and changes nothing.
  bool refresh();
  /// What went wrong last in the background (writing a batch, following the file); empty after a success.
  std::string last_error() const;
  const std::string& path() const noexcept { return path_; }

 private:
  const std::string path_;
  const JsonMode mode_;
  const JsonOptions options_;
  std::shared_ptr<detail::JsonFile> file_;
};

}  // namespace tg

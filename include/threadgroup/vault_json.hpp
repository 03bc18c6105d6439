// SPDX-License-Identifier: Apache-2.0
// A vault's values in a JSON file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <threadgroup/detail/vault_json/codec.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/vault.hpp>
#include <threadgroup/vault_types.hpp>

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

/// A key and, if its type is JSON-able, how to write and read it.
class JsonKey {
 public:
  template <class T>
  JsonKey(const Key<T>& key) : info_(key.shared_info()) {  // implicit: lists of keys are written with it
    if constexpr (detail::JsonAble<T>) codec_ = detail::json_codec<T>();
  }
  const std::shared_ptr<const detail::KeyInfo>& info() const noexcept { return info_; }
  const detail::JsonCodec& codec() const noexcept { return codec_; }

 private:
  std::shared_ptr<const detail::KeyInfo> info_;
  detail::JsonCodec codec_;
};

/// The keys that a file holds: `{a, b}`, or a keyring. Keys of types that are not JSON-able are left out.
class JsonKeys {
 public:
  JsonKeys(std::initializer_list<JsonKey> keys) : keys_(keys) {}
  template <KeyringType Ring>
  JsonKeys(const Ring& ring) {  // implicit: a keyring is a list of keys
    detail::for_each_key(ring, [this](const auto& key) { keys_.emplace_back(key); });
  }
  void add(const JsonKey& key) { keys_.push_back(key); }
  const std::vector<JsonKey>& keys() const noexcept { return keys_; }

 private:
  std::vector<JsonKey> keys_;
};

enum class JsonMode {
  write,      ///< start a new file, in place of one that is there
  append,     ///< load the file, if there is one, and go on with it
  read,       ///< load the file; it is not written, and its keys cannot be
  read_live,  ///< the same, and follow the file when another process replaces it
};

enum class JsonSync {
  every_change,  ///< a change is on the disk when the call that makes it returns
  batched,       ///< changes go to the disk together, at most an interval later
};

struct JsonOptions {
  JsonSync sync = JsonSync::every_change;
  UnknownKeys unknown_keys = UnknownKeys::refuse;
  Duration interval = std::chrono::milliseconds(100);  ///< of batches, and of looks at a followed file
  Duration stop_grace =
      std::chrono::seconds(2);  ///< how long a stopped caller waits for a disk that does not answer
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
/// Requires: plain files only; a FIFO, a device or a folder is refused.
/// Guarantees: the file is replaced as a whole: a reader, even after a crash, finds the values of one moment.
/// Only one resource at a time, in all processes, may write a file: it holds the lock file beside it,
/// `state.json.lock`. The file keeps its mode; a new one gets that of the umask. A file that cannot be loaded
/// leaves the vault as it was. A number that does not fit the key's type is refused. Keys whose type has no
/// conversion to JSON are left out. Validators check what is loaded; modifiers do not run again. If a value
/// is in the vault and the file cannot be written, the call throws `ResourceError`; the next change tries
/// again with everything. If the file is written and only its folder cannot be synced, `insert` returns,
/// `last_error` says so, and `flush` throws. A caller that is stopped while a disk does not answer gets a
/// `ResourceInterrupted` after `stop_grace`. In a forked child an attached resource throws `ForkedError`, as
/// do changes of its vault (the keys of a file that is read stay read-only); its destructor detaches it from
/// the vault and leaves the file and its lock alone.
/// Thread safety: everything from any thread, but for the destructor.
/// Lifetime: the destructor writes what is left and detaches from the vault; later changes are not written.
class JsonResource {
 public:
  /// Resolves a relative path now. Links are resolved now for a file that is written, and at each read for a
  /// file that is only read.
  JsonResource(const std::filesystem::path& path, JsonMode mode, JsonOptions options = {});
  JsonResource(const JsonResource&) = delete;
  JsonResource& operator=(const JsonResource&) = delete;
  ~JsonResource();

  /// Loads the file (but for `write`) and connects it to the vault. Throws `ResourceError`, which names the
  /// file, and the place in it and the key, or the process that is writing it; then the vault is as it was.
  /// Throws as `insert` does if a run that the loaded values complete cannot be started; then the file is
  /// attached all the same. Can succeed once.
  void attach(Vault& vault, const JsonKeys& keys);

  /// Returns once everything is on the disk. Throws `ResourceError`.
  void flush();
  /// For a file that is read: loads what has changed in it. True if something had. A file that cannot be
  /// loaded throws `ResourceError` and changes nothing. If it throws because a run cannot be started, the
  /// values are in the vault, and the next call does not load them again.
  bool refresh();
  /// What went wrong in the last attempt to write the file, or in the last look at a followed one; empty if
  /// nothing did. A run that could not be started is reported until the file changes again.
  std::string last_error() const;
  const std::string& path() const noexcept { return path_; }

 private:
  const JsonOptions options_;
  const JsonMode mode_;
  const std::string path_;
  std::shared_ptr<detail::JsonFile> file_;
};

}  // namespace tg

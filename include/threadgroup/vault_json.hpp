// SPDX-License-Identifier: Apache-2.0
// The values of a vault in a JSON file; needs nlohmann-json.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/vault_json/codec.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/vault.hpp>
#include <threadgroup/vault_types.hpp>

namespace tg {
inline namespace v0 {

/// A file could not be read, parsed or written. The text names the file and, if known, line, column and key.
class TG_EXPORT ResourceError : public VaultError {
 public:
  using VaultError::VaultError;
};

/// The caller was stopped while a disk did not answer. After a read, nothing has changed. After a write, the
/// value is in the vault, and is written to the file if the disk answers later.
class TG_EXPORT ResourceInterrupted : public Stopped {
 public:
  using Stopped::Stopped;
};

/// What to do with a name in the file that is not a key of the resource.
enum class UnknownKeys {
  refuse,  ///< the file is not loaded
  ignore,  ///< its value is ignored, and kept when the file is written
};

/// A key with its conversion to and from JSON, if its type has one.
class JsonKey {
 public:
  /// Implicit, so that keys can be listed: `{key_a, key_b}`.
  template <class T>
  JsonKey(const Key<T>& key) : info_(key.shared_info()) {
    if constexpr (detail::JsonAble<T>) codec_ = detail::json_codec<T>();
  }
  /// For the library.
  const std::shared_ptr<const detail::KeyInfo>& info() const noexcept { return info_; }
  /// For the library.
  const detail::JsonCodec& codec() const noexcept { return codec_; }

 private:
  std::shared_ptr<const detail::KeyInfo> info_;
  detail::JsonCodec codec_;
};

/// The keys that a file holds: `{a, b}`, or a keyring. Keys of types without a conversion to JSON are left
/// out.
class JsonKeys {
 public:
  /// A list of keys.
  JsonKeys(std::initializer_list<JsonKey> keys) : keys_(keys) {}
  /// All keys of a keyring. Implicit, so that a keyring can be passed.
  template <KeyringType Ring>
  JsonKeys(const Ring& ring) {
    detail::for_each_key(ring, [this](const auto& key) { keys_.emplace_back(key); });
  }
  /// Adds one key.
  void add(const JsonKey& key) { keys_.push_back(key); }
  /// The keys in the order in which they were given.
  const std::vector<JsonKey>& keys() const noexcept { return keys_; }

 private:
  std::vector<JsonKey> keys_;
};

/// How a resource uses its file.
enum class JsonMode {
  write,      ///< start a new file, which replaces an existing one
  append,     ///< load the file, if it exists, and write all later changes to it
  read,       ///< load the file; neither the file nor its keys in the vault can be written
  read_live,  ///< as `read`, and load the file again whenever another process replaces it
};

/// When changes are written to the disk.
enum class JsonSync {
  every_change,  ///< a change is on the disk when the call that makes it returns
  batched,       ///< changes are written together, at most `JsonOptions::interval` later
};

/// Options of a `JsonResource`.
struct JsonOptions {
  JsonSync sync = JsonSync::every_change;              ///< when changes are written
  UnknownKeys unknown_keys = UnknownKeys::refuse;      ///< what to do with unknown names in the file
  Duration interval = std::chrono::milliseconds(100);  ///< between batches, and between checks of a live file
  Duration stop_grace = std::chrono::seconds(2);       ///< how long a stopped caller waits for a hung disk
};

namespace detail {
class JsonFile;
}

/// Keeps the values of a vault in a file, or loads them from one.
///
///     tg::JsonResource file{"state.json", tg::JsonMode::append};
///     file.attach(vault, keyring);               // or: {key_a, key_b}
///
/// With `append`, a program that is run again after a crash finds the values that it had stored. Automatics
/// declared afterwards run only if one of their outputs is absent.
///
/// - Loading: a file that cannot be loaded leaves the vault unchanged. A number that does not fit the key's
///   type is refused. Validators check the loaded values; modifiers do not run again. Keys whose type has no
///   conversion to JSON are left out.
/// - Writing: if a value is in the vault and the file cannot be written, the call throws `ResourceError`, and
///   the next change writes all values again. If the file was written and only its folder cannot be synced,
///   `insert` returns, `last_error` says so, and `flush` throws.
/// - Stopping: a caller that is stopped while a disk does not answer gets `ResourceInterrupted` after
///   `stop_grace`.
/// - Forking: in a forked child, an attached resource throws `ForkedError`, and so do changes of its vault
///   (the keys of a file that is read stay read-only). The destructor detaches it from the vault, and leaves
///   the file and its lock alone.
///
/// Requires: a regular file. A FIFO, a device or a folder is refused.
/// Guarantees: the file is replaced as a whole, so a reader finds the values of one moment, even after a
/// crash. Only one resource in all processes can write a file at a time; it holds the lock file beside it,
/// `state.json.lock`. An existing file keeps its mode; a new one gets the mode of the umask.
/// Thread safety: everything from any thread, except for the destructor.
/// Lifetime: the destructor writes what is left and detaches from the vault; later changes are not written.
class TG_EXPORT JsonResource {
 public:
  /// Resolves a relative path now. Symbolic links are resolved now for a file that is written, and at each
  /// read for a file that is only read.
  JsonResource(const std::filesystem::path& path, JsonMode mode, JsonOptions options = {});
  JsonResource(const JsonResource&) = delete;
  JsonResource& operator=(const JsonResource&) = delete;
  /// Writes what is left, and detaches from the vault.
  ~JsonResource();

  /// Loads the file, except in `JsonMode::write`, and connects it to the vault. Throws `ResourceError` that
  /// names the file and the line, column and key, or the process that is writing the file; then the vault is
  /// unchanged. If a run for which the loaded values complete the inputs cannot be started, throws as
  /// `Vault::insert` does; then the file is attached nevertheless. It can succeed only once.
  void attach(Vault& vault, const JsonKeys& keys);

  /// Waits until all changes are on the disk. Throws `ResourceError` if they cannot be written.
  void flush();
  /// Loads the changes of a file that is only read. True if it had changed. Throws `ResourceError` and
  /// changes nothing if the file cannot be loaded. If it throws because a run cannot be started, the values
  /// are in the vault, and the next call does not load them again.
  bool refresh();
  /// The error of the last attempt to write the file, or of the last check of a live file; empty if that was
  /// successful. A run that could not be started is reported until the file changes again.
  std::string last_error() const;
  /// The absolute path of the file.
  const std::string& path() const noexcept { return path_; }

 private:
  const JsonOptions options_;
  const JsonMode mode_;
  const std::string path_;
  std::shared_ptr<detail::JsonFile> file_;
};

}  // namespace v0
}  // namespace tg

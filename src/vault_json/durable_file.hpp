// SPDX-License-Identifier: Apache-2.0
// Files that are replaced as a whole and survive the process and the power going away.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

// All of this blocks for as long as the disk takes. Failures throw a `ResourceError` that names the path.

/// The path from the root, so that a later `chdir` does not change what it means.
std::string absolute_path(const std::string& path);
/// The same, with links followed, also one whose target does not exist yet: what gets replaced is the file
/// and not the link.
std::string resolved_path(const std::string& path);

/// Tells one state of a file from another without reading it.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t seconds = 0;
  std::int64_t nanos = 0;
  std::int64_t size = -1;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

struct FileContents {
  FileStamp stamp;
  std::string text;
};

/// The contents; nothing if there is no such file. Does not wait for the other end of a FIFO: what is no
/// plain file is refused.
std::optional<FileContents> read_file(const std::string& path);
/// The same, but with an empty text if the file has this stamp.
std::optional<FileContents> read_file_unless(const FileStamp& known, const std::string& path);

/// A file that is replaced as a whole.
///
/// Requires: no other process replaces the file (`FileLock`).
/// Guarantees: at any moment the path leads to the whole old or the whole new contents, even after the
/// process was killed or the power failed. Temporary files have unpredictable names and are not opened
/// through links.
/// Thread safety: one call at a time.
class DurableFile {
 public:
  /// Requires: a resolved path.
  explicit DurableFile(std::string path) : path_(std::move(path)) {}

  /// Throws unless the path leads to a plain file or to nothing.
  void require_plain() const;

  /// Writes a temporary file beside it, brings that to the disk, renames it, and brings the renaming to the
  /// disk. If only the last step failed, the new contents are there, and the text that comes back says why
  /// they may not survive a loss of power; it is empty if all went well. If it throws, the old contents are
  /// there.
  [[nodiscard]] std::string replace(const std::string& contents);

  /// Removes temporary files that a killed process left behind.
  void remove_leftovers();

 private:
  const std::string path_;
  bool left_over_ = false;  // a temporary file could not be removed
};

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Files that are replaced as a whole and survive the process and the power going away.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace tg::detail {

/// The contents; nothing if there is no such file. Throws `std::system_error`.
std::optional<std::string> read_file(const std::string& path);

/// Replaces the file: writes a temporary one next to it, brings that to the disk, renames it, and brings the
/// renaming to the disk. At any moment the path leads to the whole old or the whole new contents. Throws
/// `std::system_error`; then the old contents are still there (but for a failure of the last step).
void replace_file(const std::string& path, const std::string& contents);

/// Tells one state of a file from another without reading it.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t seconds = 0;
  std::int64_t nanos = 0;
  std::int64_t size = -1;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
FileStamp stamp_of(const std::string& path) noexcept;

}  // namespace tg::detail

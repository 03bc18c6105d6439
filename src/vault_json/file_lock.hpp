// SPDX-License-Identifier: Apache-2.0
// One writing process per file.
#pragma once

#include <string>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

/// The right to write a file, from the constructor to the destructor.
///
/// It is an `flock` on a separate file beside the one that is written, `v.json.lock`, because each
/// replacement of the written file is a new inode. The lock file contains the id of the process that has the
/// lock, and exists only while the lock is held (after a crash until the next lock: the system releases the
/// lock and leaves the file).
///
/// Guarantees: only one exists at a time for each path, in all processes. A process that the owner forks or
/// starts does not keep the lock: the descriptor is closed in it. Users who may write the file may open the
/// lock file, and users who may only read it may not.
/// Thread safety: distinct objects from any thread. In a forked child, an inherited one does nothing any
/// more.
class FileLock {
 public:
  /// Throws `ResourceError`, also if the lock is taken; then the text names the process that has it. Does not
  /// wait.
  explicit FileLock(const std::string& path);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

  /// Called once, while the library is loaded.
  static void close_in_forked_children();

 private:
  bool try_to_take();
  void open();
  void share_with_writers() const noexcept;
  void write_pid() const;
  [[noreturn]] void fail_for_access() const;
  [[noreturn]] void throw_taken() const;
  void release() noexcept;
  void close() noexcept;

  // Constant after construction.
  const std::string path_;  // of the file that is written
  const std::string lock_path_;

  // Guarded by the lock of the list of all open locks; in a forked child the descriptor is -1.
  int fd_ = -1;
  FileLock* next_ = nullptr;
};

}  // namespace tg::inline v0::detail

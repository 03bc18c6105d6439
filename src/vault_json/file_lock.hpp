// SPDX-License-Identifier: Apache-2.0
// One writing process per file.
#pragma once

#include <cstdint>
#include <string>

#include <threadgroup/base/mutex.hpp>

namespace tg::detail {

/// The right to write a file, from the constructor to the destructor.
///
/// It is an `flock` on a file of its own beside the one that is written, `v.json.lock`: the written file is
/// replaced again and again, and each replacement is another file to the system. The lock file holds the
/// number of the process that has the lock, and exists only as long (after a crash until the next lock, for
/// the system frees the lock and leaves the file).
///
/// Guarantees: there is one at a time for each path, in whatever process. A process that is forked or started
/// by the one that has the lock does not keep it alive: the descriptor is closed in it. Thread safety:
/// distinct objects from any thread. In a forked child, an inherited one does nothing any more.
class FileLock {
 public:
  /// Throws `ResourceError`, also if the lock is taken; that text names the process which has it. Does not
  /// wait for it.
  explicit FileLock(const std::string& path);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

  /// Called once, while the library is loaded.
  static void close_in_forked_children();

 private:
  bool try_to_take();
  void open();
  void write_pid() const;
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

}  // namespace tg::detail

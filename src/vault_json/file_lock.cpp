// SPDX-License-Identifier: Apache-2.0
// Takes and releases the lock, and keeps children of the process from inheriting it.
#include "vault_json/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <system_error>

#include <threadgroup/vault_json.hpp>

#include "runtime/fork.hpp"
#include "vault_json/file_calls.hpp"

namespace tg::inline v0::detail {

namespace {

// All that are open in this process. A fork duplicates their descriptors, and a lock lasts as long as one of
// them is open: so the child closes them.
struct OpenLocks {
  Mutex mutex;
  FileLock* first TG_GUARDED_BY(mutex) = nullptr;
  std::uint64_t forks TG_GUARDED_BY(mutex) = 0;
};
constinit OpenLocks open_locks;

// Who may write gets access, but may not read: see `share_with_writers`.
constexpr mode_t kFirstMode = 0622;

[[gnu::constructor(runtime::at_load::kOtherLibraries)]] void file_locks_at_load() {
  FileLock::close_in_forked_children();
}

[[noreturn]] void fail_lock(const std::string& what, const std::string& path) {
  throw ResourceError("", what + " " + path + ": " + std::generic_category().message(errno));
}

}  // namespace

void FileLock::close_in_forked_children() {
  runtime::at_fork(
      []() TG_NO_THREAD_SAFETY_ANALYSIS {
        open_locks.mutex.lock();
        ++open_locks.forks;
      },
      []() TG_NO_THREAD_SAFETY_ANALYSIS { open_locks.mutex.unlock(); },
      []() TG_NO_THREAD_SAFETY_ANALYSIS {
        for (FileLock* lock = open_locks.first; lock != nullptr; lock = lock->next_) {
          file_calls.close(lock->fd_);
          lock->fd_ = -1;
        }
        open_locks.first = nullptr;
        open_locks.mutex.unlock();
      });
}

FileLock::FileLock(const std::string& path) : path_(path), lock_path_(path + ".lock") {
  try {
    while (!try_to_take()) close();
  } catch (...) {
    close();
    throw;
  }
  share_with_writers();
  try {
    write_pid();
  } catch (...) {
    release();
    throw;
  }
}

FileLock::~FileLock() {
  if (fd_ >= 0) release();
}

// False if the process that had the lock before removed the file before we locked it.
bool FileLock::try_to_take() {
  open();
  struct stat opened {};
  if (uninterrupted([&] { return file_calls.fstat(fd_, &opened); }) != 0)
    fail_lock("cannot look at", lock_path_);
  // A second hard link could be an attack: we are about to write to the file.
  if (!S_ISREG(opened.st_mode) || opened.st_nlink > 1)
    throw ResourceError("", lock_path_ + " is not a lock file of this library; remove it");
  if (uninterrupted([&] { return file_calls.flock(fd_, LOCK_EX | LOCK_NB); }) != 0) {
    if (errno == EWOULDBLOCK) throw_taken();
    fail_lock("cannot lock", lock_path_);
  }
  struct stat now {};
  if (uninterrupted([&] { return file_calls.lstat(lock_path_.c_str(), &now); }) != 0) {
    if (errno == ENOENT) return false;
    fail_lock("cannot look at", lock_path_);
  }
  return now.st_dev == opened.st_dev && now.st_ino == opened.st_ino;
}

void FileLock::open() {
  for (;;) {
    std::uint64_t forks = 0;
    {
      MutexLock lock(open_locks.mutex);
      forks = open_locks.forks;
    }
    constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    const auto open = [this](int flags) {
      return uninterrupted([&] { return file_calls.open(lock_path_.c_str(), flags, kFirstMode); });
    };
    int fd = open(kFlags | O_CREAT);
    // In folders for all users, Linux may refuse to open another user's file with O_CREAT.
    if (fd < 0 && errno == EACCES) fd = open(kFlags);
    if (fd < 0 && errno == EACCES) fail_for_access();
    if (fd < 0) fail_lock("cannot open the lock file", lock_path_);
    {
      MutexLock lock(open_locks.mutex);
      if (open_locks.forks == forks) {
        fd_ = fd;
        next_ = open_locks.first;
        open_locks.first = this;
        return;
      }
    }
    file_calls.close(fd);  // a child forked meanwhile may have inherited it unnoticed: open another one
  }
}

// Gives access to the users who may write the file that we lock. A user who may only read that file gets
// none, because an open lock file can be locked. Without success they get an error that names us.
void FileLock::share_with_writers() const noexcept {
  struct stat mine {};
  struct stat written {};
  if (uninterrupted([&] { return file_calls.fstat(fd_, &mine); }) != 0) return;
  if (uninterrupted([&] { return file_calls.lstat(path_.c_str(), &written); }) != 0) {
    if (errno != ENOENT) return;
    written.st_mode = mine.st_mode;  // a new one gets what the umask leaves, as ours did
  }
  const mode_t writers = written.st_mode & 0222;
  const mode_t wanted = 0600 | writers | (writers << 1);
  if ((mine.st_mode & 0777) != wanted)
    uninterrupted([&] { return file_calls.fchmod(fd_, wanted); });  // fails if it is another user's
}

void FileLock::fail_for_access() const {
  std::string text =
      "cannot open the lock file " + lock_path_ + ": " + std::generic_category().message(EACCES);
  struct stat found {};
  if (uninterrupted([&] { return file_calls.lstat(lock_path_.c_str(), &found); }) == 0) {
    text += "; it belongs to the user with the id " + std::to_string(found.st_uid) +
            ": remove it if none of that user's processes writes " + path_;
  }
  throw ResourceError("", text);
}

void FileLock::write_pid() const {
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (uninterrupted([&] { return file_calls.ftruncate(fd_, 0); }) != 0 || !write_all(fd_, pid))
    fail_lock("cannot write", lock_path_);
}

void FileLock::throw_taken() const {
  char text[32] = {};
  const ssize_t got = uninterrupted([&] { return file_calls.read(fd_, text, sizeof text); });
  long pid = 0;
  if (got > 0) std::from_chars(text, text + got, pid);
  const std::string owner = pid == ::getpid() ? "this process"
                            : pid > 0         ? "process " + std::to_string(pid)
                                              : "another process";
  throw ResourceError("", path_ + " is already being written by " + owner + ", which holds " + lock_path_ +
                              "; one resource at a time can write a file");
}

void FileLock::release() noexcept {
  struct stat opened {};
  struct stat now {};
  // Removed while the lock is held: a process that has opened the old file sees that it has no name any more.
  // A file that is not ours stays: ours was removed, and this one belongs to another process.
  if (file_calls.fstat(fd_, &opened) == 0 && file_calls.lstat(lock_path_.c_str(), &now) == 0 &&
      opened.st_ino == now.st_ino && opened.st_dev == now.st_dev) {
    uninterrupted([this] { return file_calls.unlink(lock_path_.c_str()); });
  }
  close();
}

void FileLock::close() noexcept {
  // First: a child that is forked between the next steps has the descriptor and does not know it.
  if (fd_ >= 0) uninterrupted([this] { return file_calls.flock(fd_, LOCK_UN); });
  int fd = -1;
  {
    MutexLock lock(open_locks.mutex);
    for (FileLock** at = &open_locks.first; *at != nullptr; at = &(*at)->next_) {
      if (*at != this) continue;
      *at = next_;
      break;
    }
    fd = fd_;
    fd_ = -1;
  }
  if (fd >= 0) file_calls.close(fd);
}

}  // namespace tg::inline v0::detail

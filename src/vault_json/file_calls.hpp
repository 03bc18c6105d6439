// SPDX-License-Identifier: Apache-2.0
// The system calls on files that this layer makes.
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <string_view>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

/// The system's functions, by their own names and with their own results.
struct FileCalls {
  int (*open)(const char* path, int flags, mode_t mode);
  int (*close)(int fd);
  ssize_t (*read)(int fd, void* buffer, std::size_t size);
  ssize_t (*write)(int fd, const void* data, std::size_t size);
  int (*ftruncate)(int fd, off_t length);
  int (*fsync)(int fd);
  int (*fchmod)(int fd, mode_t mode);
  int (*fstat)(int fd, struct stat* result);
  int (*stat)(const char* path, struct stat* result);
  int (*lstat)(const char* path, struct stat* result);
  int (*flock)(int fd, int operation);
  int (*rename)(const char* from, const char* to);
  int (*unlink)(const char* path);
  char* (*realpath)(const char* path, char* resolved);
  ssize_t (*readlink)(const char* path, char* target, std::size_t size);
  DIR* (*opendir)(const char* path);
  dirent* (*readdir)(DIR* folder);
  int (*closedir)(DIR* folder);
};

/// What the layer calls. Tests put faults in here while no file is in use; nothing else writes to it.
extern constinit FileCalls file_calls;

/// Repeats a call that a signal interrupts.
template <class Call>
auto uninterrupted(Call&& call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

/// Writes all of it, in as many pieces as the system takes. False, with `errno`, if that fails.
bool write_all(int fd, std::string_view data);

}  // namespace tg::inline v0::detail

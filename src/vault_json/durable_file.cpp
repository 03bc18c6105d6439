// SPDX-License-Identifier: Apache-2.0
// Reading and replacing files.
#include "durable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace tg::detail {

namespace {

[[noreturn]] void fail(const char* what, const std::string& path) {
  throw std::system_error(errno, std::generic_category(), std::string(what) + " " + path);
}

class File {
 public:
  File(const std::string& path, int flags, unsigned mode = 0) noexcept
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool ok() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

std::optional<std::string> read_file(const std::string& path) {
  const File file(path, O_RDONLY);
  if (!file.ok()) {
    if (errno == ENOENT) return std::nullopt;
    fail("cannot open", path);
  }
  std::string contents;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(file.fd(), buffer, sizeof buffer);
    if (got == 0) return contents;
    if (got > 0) {
      contents.append(buffer, static_cast<std::size_t>(got));
    } else if (errno != EINTR) {
      fail("cannot read", path);
    }
  }
}

void replace_file(const std::string& path, const std::string& contents) {
  // One name, so that what a killed process leaves behind is used up by the next write.
  const std::string temporary = path + ".tmp";
  struct stat old {};
  const bool exists = ::stat(path.c_str(), &old) == 0;
  {
    const File file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (!file.ok()) fail("cannot create", temporary);
    if (exists && ::fchmod(file.fd(), old.st_mode & 07777) != 0) fail("cannot set the mode of", temporary);
    for (std::size_t done = 0; done < contents.size();) {
      const ssize_t put = ::write(file.fd(), contents.data() + done, contents.size() - done);
      if (put >= 0) {
        done += static_cast<std::size_t>(put);
      } else if (errno != EINTR) {
        fail("cannot write", temporary);
      }
    }
    // Before the renaming, or the new name could lead to contents that never came to the disk.
    if (::fsync(file.fd()) != 0) fail("cannot sync", temporary);
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) fail("cannot replace", path);
  const std::string folder = folder_of(path);
  const File directory(folder, O_RDONLY | O_DIRECTORY);
  if (!directory.ok() || ::fsync(directory.fd()) != 0) fail("cannot sync the folder", folder);
}

FileStamp stamp_of(const std::string& path) noexcept {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return {};
  return {s.st_dev, s.st_ino, s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_size};
}

}  // namespace tg::detail

// SPDX-License-Identifier: Apache-2.0
// An open descriptor that is closed with its object.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <utility>

#include "process/supervisor.hpp"

namespace tg::inline v0::process {

/// Owns a descriptor, or (-1) none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void close() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

/// Descriptors from here on are copied to those below, which become the command's, and not overwritten by that.
constexpr int kFirstFree = kControl + 1;

/// A copy from `kFirstFree` on, closed by exec. Throws `std::system_error`: "cannot duplicate `what`".
Descriptor copy_of(int fd, const char* what);
/// The same file, from `kFirstFree` on. If the program has closed a standard descriptor, the next file that is opened gets its number,
/// and the program, or a command that inherits its descriptors, would write to that file.
Descriptor moved_up(Descriptor from, const char* what);
/// Throws `std::system_error`: "cannot write `what`".
void write_all(const Descriptor& file, const void* bytes, std::size_t count, const char* what);

}  // namespace tg::inline v0::process

// SPDX-License-Identifier: Apache-2.0
// A pair of descriptors that is closed with its object.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace tg::test {

/// A pipe, or two connected sockets.
///
///     const Pipe pipe;
///     ::write(pipe.writing(), "x", 1);
///     char byte = 0;
///     ::read(pipe.reading(), &byte, 1);
///
/// Throws `std::system_error` if the process has no descriptors left.
class Pipe {
 public:
  /// The sockets are UNIX sockets of type SOCK_STREAM.
  enum class Kind { pipe, sockets };
  explicit Pipe(Kind kind = Kind::pipe) {
    const int result =
        kind == Kind::pipe ? ::pipe(ends_.data()) : ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data());
    if (result != 0) throw std::system_error(errno, std::generic_category(), "a pipe for a test");
  }
  static Pipe of_sockets() { return Pipe(Kind::sockets); }
  ~Pipe() {
    for (const int end : ends_) ::close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int reading() const { return ends_[0]; }
  int writing() const { return ends_[1]; }

  /// Writes until it would block.
  void fill() const {
    static constexpr std::array<char, 1 << 16> kBytes{};
    const int flags = ::fcntl(writing(), F_GETFL);
    ::fcntl(writing(), F_SETFL, flags | O_NONBLOCK);
    while (::write(writing(), kBytes.data(), kBytes.size()) > 0) {
    }
    ::fcntl(writing(), F_SETFL, flags);
  }
  /// Reads what is there, and returns the number of bytes.
  long drain() const {
    std::array<char, 1 << 16> bytes{};
    const int flags = ::fcntl(reading(), F_GETFL);
    ::fcntl(reading(), F_SETFL, flags | O_NONBLOCK);
    long count = 0;
    for (ssize_t got = 0; (got = ::read(reading(), bytes.data(), bytes.size())) > 0;) count += got;
    ::fcntl(reading(), F_SETFL, flags);
    return count;
  }

 private:
  std::array<int, 2> ends_{};
};

}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// A name server on loopback, which may be silent.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "support/loopback.hpp"

namespace tg::test {

// A name server that knows one name, with one address of each family.
class NameServer {
 public:
  NameServer() {
    group_.post([this] { serve(); });
  }
  ~NameServer() {
    group_.set_event("over");
    group_.join();
    ::close(socket_);
  }
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int questions() const { return questions_; }
  void be_silent() { is_silent_ = true; }
  /// Answers each question with this code of RFC 1035, such as 5, "refused".
  void fail_with(std::uint8_t code) { failure_ = code; }

 private:
  static constexpr std::size_t kHeader = 12;

  void serve() {
    std::array<std::uint8_t, 512> message{};
    for (;;) {
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      const ssize_t bytes = posix::recvfrom(socket_, message.data(), message.size(), 0,
                                            reinterpret_cast<sockaddr*>(&peer), &size);
      if (bytes < 0) return;
      ++questions_;
      if (is_silent_) continue;
      const std::vector<std::uint8_t> answer = answer_to({message.begin(), message.begin() + bytes});
      ::sendto(socket_, answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&peer), size);
    }
  }

  std::vector<std::uint8_t> answer_to(std::vector<std::uint8_t> message) const {
    std::size_t end = kHeader;
    while (message[end] != 0) end += message[end] + 1U;
    const bool is_known = std::memcmp(message.data() + kHeader, "\7printer\4test", 14) == 0;
    const std::uint8_t kind = message[end + 2];
    message.resize(end + 5);  // without what a client adds
    message[2] |= 0x80;       // an answer
    message[3] = is_known ? 0x80 : 0x83;
    if (failure_ != 0) message[3] = 0x80 | failure_;
    for (std::size_t i = 6; i < kHeader; ++i) message[i] = 0;
    const std::vector<std::uint8_t> four = {192, 0, 2, 7};
    const std::vector<std::uint8_t> six = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
    const bool has_address = kind == 1 || kind == 28;
    if (!is_known || !has_address || failure_ != 0) return message;
    const std::vector<std::uint8_t>& data = kind == 1 ? four : six;
    message[7] = 1;
    const std::vector<std::uint8_t> record = {0xc0, 0x0c, 0, kind, 0, 1,
                                              0,    0,    0, 60,   0, static_cast<std::uint8_t>(data.size())};
    message.insert(message.end(), record.begin(), record.end());
    message.insert(message.end(), data.begin(), data.end());
    return message;
  }

  const int socket_ = bound_socket(SOCK_DGRAM);
  const std::uint16_t port_ = port_of(socket_);
  std::atomic<int> questions_{0};
  std::atomic<bool> is_silent_{false};
  std::atomic<std::uint8_t> failure_{0};
  ThreadGroup group_{"name server"};
};

}  // namespace tg::test

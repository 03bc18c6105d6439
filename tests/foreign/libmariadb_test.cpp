// SPDX-License-Identifier: Apache-2.0
// libmariadb against a peer that speaks as much of the protocol as it takes to be silent at each point. It needs no adapter.
#include <gtest/gtest.h>

#include <mysql.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <threadgroup/threadgroup.hpp>

#include "foreign/random_stops.hpp"
#include "foreign/servers.hpp"
#include "support/eventually.hpp"

namespace tg::test {
namespace libmariadb_test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

// https://mariadb.com/kb/en/clientserver-protocol/: a packet is three bytes of length, a number, and so many bytes.
void send_packet(int socket, char number, std::string_view bytes) {
  std::string packet{static_cast<char>(bytes.size()), 0, 0, number};
  packet += bytes;
  static_cast<void>(::send(socket, packet.data(), packet.size(), MSG_NOSIGNAL));
}

// Empty if the client is gone.
std::string receive_packet(int socket) {
  std::array<unsigned char, 4> head{};
  if (::recv(socket, head.data(), head.size(), MSG_WAITALL) != static_cast<ssize_t>(head.size())) return {};
  std::string bytes(
      head[0] | static_cast<std::size_t>(head[1]) << 8 | static_cast<std::size_t>(head[2]) << 16, ' ');
  if (::recv(socket, bytes.data(), bytes.size(), MSG_WAITALL) != static_cast<ssize_t>(bytes.size()))
    return {};
  return bytes;
}

constexpr std::string_view kGreeting =
    "\x0a"
    "10.11.0\0"
    "\1\0\0\0"
    "saltsalt\0"
    "\x09\xa2"
    "\x21"
    "\2\0"
    "\x08\0"
    "\x15"
    "\0\0\0\0\0\0\0\0\0\0"
    "saltsaltsalt\0"
    "mysql_native_password\0"sv;
constexpr std::string_view kOk = "\0\0\0\2\0\0\0"sv;

// Answers "quick" at once, "half" with the beginning of a table, and everything else never.
void serve(int socket) {
  leave_time(1ms);
  send_packet(socket, 0, kGreeting);
  if (receive_packet(socket).empty()) return;
  leave_time(1ms);
  send_packet(socket, 2, kOk);
  for (std::string order; !(order = receive_packet(socket)).empty();) {
    const std::string_view query = std::string_view(order).substr(1);
    if (query == "quick") send_packet(socket, 1, kOk);
    if (query == "half") send_packet(socket, 1, "\1"sv);
  }
}

class Connection {
 public:
  explicit Connection(int port) : raw_(mysql_init(nullptr), &mysql_close) {
    const auto number = static_cast<unsigned>(port);
    check(mysql_real_connect(raw_.get(), "127.0.0.1", "tester", "", nullptr, number, nullptr, 0) != nullptr);
  }
  void execute(const std::string& query) const {
    check(mysql_real_query(raw_.get(), query.data(), query.size()) == 0);
  }

 private:
  void check(bool fine) const {
    if (fine) return;
    thread_utils::throw_if_event_set();
    throw std::runtime_error(mysql_error(raw_.get()));
  }
  const std::unique_ptr<MYSQL, decltype(&mysql_close)> raw_;
};

TEST(Libmariadb, is_stopped_at_random_moments) {
  const NoDescriptorIsLeft checked;
  mysql_library_init(0, nullptr, nullptr);
  {
    const Peer server(serve);
    const SilentPeer silent;
    const std::string long_query(1'000'000, 'x');
    stop_at_random("libmariadb", 10ms, [&](unsigned random, Phase& phase) {
      phase = "connecting";
      if (random % 8 == 0) phase = "silent peer";
      const Connection connection(random % 8 == 0 ? silent.port() : server.port());
      phase = "quick query";
      connection.execute("quick");
      phase = "waiting";
      connection.execute(random % 8 == 1 ? long_query : random % 8 == 2 ? "half" : "never");
    });
    Connection(server.port()).execute("quick");
  }
  mysql_library_end();
}

}  // namespace
}  // namespace libmariadb_test
}  // namespace tg::test

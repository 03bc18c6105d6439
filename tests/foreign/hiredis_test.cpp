// SPDX-License-Identifier: Apache-2.0
// hiredis against a real Redis server and a silent peer. It needs no adapter.
#include <gtest/gtest.h>

#include <hiredis/hiredis.h>

#include <memory>
#include <stdexcept>
#include <string>

#include <threadgroup/threadgroup.hpp>

#include "foreign/random_stops.hpp"
#include "foreign/servers.hpp"

namespace tg::test {
namespace hiredis_test {
namespace {

using namespace std::chrono_literals;

void free_reply(redisReply* reply) { freeReplyObject(reply); }

class Connection {
 public:
  explicit Connection(int port) : raw_(redisConnect("127.0.0.1", port), &redisFree) { check("connect"); }

  template <class... Arguments>
  std::string ask(const char* command, Arguments... arguments) const {
    auto* const reply = static_cast<redisReply*>(redisCommand(raw_.get(), command, arguments...));
    const std::unique_ptr<redisReply, decltype(&free_reply)> freed(reply, &free_reply);
    check(command);
    return reply->str != nullptr ? std::string(reply->str, reply->len) : "";
  }

 private:
  void check(const char* what) const {
    if (raw_->err == 0) return;
    thread_utils::throw_if_event_set();
    throw std::runtime_error(std::string(what) + ": " + raw_->errstr);
  }
  const std::unique_ptr<redisContext, decltype(&redisFree)> raw_;
};

TEST(Hiredis, is_stopped_at_random_moments) {
  if (!has_redis()) GTEST_SKIP() << "needs the server's program (Debian: redis-server)";
  const Redis server;
  const NoDescriptorIsLeft checked;
  const SilentPeer silent;
  const std::string long_value(1'000'000, 'x');
  Connection(server.port()).ask("SET long %s", long_value.c_str());

  stop_at_random("hiredis", 10ms, [&](unsigned random, Phase& phase) {
    phase = "connecting";
    if (random % 8 == 0) {
      const Connection connection(silent.port());
      phase = "silent peer";
      connection.ask("PING");
    }
    const Connection connection(server.port());
    phase = "quick command";
    connection.ask("INCR n");
    phase = "sending";
    if (random % 8 == 1) connection.ask("SET other %s", long_value.c_str());
    phase = "reading";
    if (random % 8 == 2) connection.ask("GET long");
    phase = "waiting";
    if (random % 8 > 2) connection.ask("BLPOP never 0");
  });
  EXPECT_EQ(Connection(server.port()).ask("GET long"), long_value);
}

}  // namespace
}  // namespace hiredis_test
}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// cpp-httplib's client, HTTP and HTTPS. It needs no adapter.
#include <gtest/gtest.h>

#include <httplib.h>

#include <stdexcept>
#include <string>

#include <threadgroup/threadgroup.hpp>

#include "foreign/random_stops.hpp"
#include "foreign/servers.hpp"
#include "foreign/web_server.hpp"

namespace tg::test {
namespace httplib_test {
namespace {

using namespace std::chrono_literals;

std::string fetch(const std::string& scheme, int port, const std::string& path) {
  httplib::Client client(scheme + "://127.0.0.1:" + std::to_string(port));
  client.enable_server_certificate_verification(false);
  client.set_read_timeout(3600s);
  const httplib::Result result = client.Get(path);
  if (result) return result->body;
  thread_utils::throw_if_event_set();
  throw std::runtime_error(httplib::to_string(result.error()));
}

TEST(Httplib, is_stopped_at_random_moments) {
  const NoDescriptorIsLeft checked;
  const WebServer plain(false);
  const WebServer tls(true);
  const SilentPeer silent;
  stop_at_random("cpp-httplib", 10ms, [&](unsigned random, Phase& phase) {
    const bool is_tls = random / 64 % 2 == 1;
    const std::string path = WebServer::random_path(random / 8);
    phase = random % 8 == 0 ? "silent peer" : is_tls ? "https" : "http";
    fetch(is_tls ? "https" : "http",
          random % 8 == 0 ? silent.port()
          : is_tls        ? tls.port()
                          : plain.port(),
          path);
  });
  EXPECT_EQ(fetch("http", plain.port(), "/quick"), "ok");
  EXPECT_EQ(fetch("https", tls.port(), "/quick"), "ok");
}

}  // namespace
}  // namespace httplib_test
}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// libcurl's easy interface, HTTP and HTTPS, against a quick, a slow and a silent server.
#include <gtest/gtest.h>

#include <curl/curl.h>

#include <memory>
#include <stdexcept>
#include <string>

#include <threadgroup/adapters/curl.hpp>
#include <threadgroup/threadgroup.hpp>

#include "foreign/random_stops.hpp"
#include "foreign/servers.hpp"
#include "foreign/web_server.hpp"

namespace tg::test {
namespace curl_test {
namespace {

using namespace std::chrono_literals;

struct Library {
  Library() { curl_global_init(CURL_GLOBAL_DEFAULT); }
  ~Library() { curl_global_cleanup(); }
};

std::size_t append(const char* bytes, std::size_t one, std::size_t count, void* to) {
  static_cast<std::string*>(to)->append(bytes, one * count);
  return count;
}

std::string fetch(const std::string& url) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(), &curl_easy_cleanup);
  std::string body;
  curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(easy.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &body);
  const adapters::StoppableCurl stoppable(easy.get());
  const CURLcode code = stoppable(curl_easy_perform(easy.get()));
  if (code != CURLE_OK) throw std::runtime_error(curl_easy_strerror(code));
  return body;
}

void stop_fetches(const std::string& scheme) {
  const NoDescriptorIsLeft checked;
  const Library library;
  const WebServer server(scheme == "https");
  const SilentPeer silent;
  const std::string address = scheme + "://127.0.0.1:";
  stop_at_random("libcurl, " + scheme, 10ms, [&](unsigned random, Phase& phase) {
    const std::string path = WebServer::random_path(random / 8);
    phase = random % 8 == 0    ? "silent peer"
            : path == "/quick" ? "quick answer"
            : path == "/large" ? "large answer"
                               : "slow answer";
    fetch(address + std::to_string(random % 8 == 0 ? silent.port() : server.port()) + path);
  });
  EXPECT_EQ(fetch(address + std::to_string(server.port()) + "/quick"), "ok");
}

TEST(Curl, is_stopped_at_random_moments_of_http) { stop_fetches("http"); }

TEST(Curl, is_stopped_at_random_moments_of_https) { stop_fetches("https"); }

}  // namespace
}  // namespace curl_test
}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// Tests of what client.hpp takes for a URL; its requests are tested with the whole program.
#include "client.hpp"

#include <gtest/gtest.h>

#include "expect_bad_input.hpp"

namespace verify_users {
namespace {

std::string url_of(const std::string& url) { return Client(url, std::chrono::seconds{1}).url(); }

TEST(ServiceUrl, host_port_and_path_are_taken) {
  for (const char* url :
       {"http://localhost", "http://127.0.0.1:8080", "https://a-b.example.org/api/v1", "http://[::1]:80"}) {
    EXPECT_EQ(url_of(url), url);
  }
  EXPECT_EQ(url_of("http://localhost:1/api//"), "http://localhost:1/api");
}

TEST(ServiceUrl, anything_else_is_bad_input_that_says_why) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "it has no scheme"},
      {"localhost:80", "it has no scheme"},
      {"ftp://localhost", "neither http nor https"},
      {"http://", "the host is missing"},
      {"http://:80", "the host is missing"},
      {"http:///path", "the host is missing"},
      {"http://ro ot", "the host is missing or malformed"},
      {"http://me@host", "the host is missing or malformed"},
      {"http://::1", "the host is missing"},
      {"http://[]:80", "the host is missing or malformed"},
      {"http://host:", "the port"},
      {"http://host:0", "the port"},
      {"http://host:65536", "the port"},
      {"http://host:80x", "the port"},
      {"http://host/path?x=1", "a query"},
      {"http://host/a b", "a space"},
  };
  for (const auto& [url, why] : cases) {
    const std::string complaint = complaint_of([url = url] { url_of(url); });
    EXPECT_NE(complaint.find(why), std::string::npos) << url << ": " << complaint;
    EXPECT_NE(complaint.find('\'' + std::string(url) + '\''), std::string::npos) << complaint;
  }
}

}  // namespace
}  // namespace verify_users

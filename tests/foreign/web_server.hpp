// SPDX-License-Identifier: Apache-2.0
// A web server that answers at once, slowly, or never, with or without TLS.
#pragma once

#include <memory>
#include <string>

namespace tg::test {

class WebServer {
 public:
  /// With TLS it has a self-signed certificate, generated at the start.
  explicit WebServer(bool tls);
  ~WebServer();
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  int port() const;
  /// The path of one of the three kinds of answers, or of 300 KB, chosen by a random number.
  static std::string random_path(unsigned random);

 private:
  struct Running;
  std::unique_ptr<Running> running_;
};

}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// Asking the account service.
#include "client.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <mutex>
#include <nlohmann/json.hpp>
#include <threadgroup/scope.hpp>

#include "bad_input.hpp"

namespace verify_users {
namespace {

// Shuts a socket down from another thread, so that a thread that reads from it wakes. It keeps a duplicate of
// the descriptor: by then the original may be closed, and its number may be that of another file.
class SocketShutter {
 public:
  SocketShutter() = default;
  SocketShutter(const SocketShutter&) = delete;
  SocketShutter& operator=(const SocketShutter&) = delete;
  ~SocketShutter() { release(); }

  void watch(int socket) {
    const std::lock_guard lock(mutex_);
    release();
    duplicate_ = ::dup(socket);
    if (shut_) ::shutdown(duplicate_, SHUT_RDWR);
  }

  void shut() {
    const std::lock_guard lock(mutex_);
    shut_ = true;
    if (duplicate_ >= 0) ::shutdown(duplicate_, SHUT_RDWR);
  }

 private:
  void release() {
    if (duplicate_ >= 0) ::close(duplicate_);
    duplicate_ = -1;
  }

  std::mutex mutex_;
  int duplicate_ = -1;
  bool shut_ = false;
};

std::string percent_encoded(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) encoded += c;
    else encoded += fmt::format("%{:02X}", byte);
  }
  return encoded;
}

bool is_host(std::string_view host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';  // IPv6
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto allowed = [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_' ||
           (bracketed && c == ':');
  };
  return !host.empty() && std::ranges::all_of(host, allowed);
}

bool is_port(std::string_view port) {
  return !port.empty() && port.size() <= 5 &&
         port.find_first_not_of("0123456789") == std::string_view::npos &&
         std::stoi(std::string(port)) >= 1 && std::stoi(std::string(port)) <= 65535;
}

Answer parse_answer(const std::string& body) {
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("ok") || !json["ok"].is_boolean()) {
    throw BadAnswer("the service answered something that is no verdict: " + body.substr(0, 60));
  }
  const auto detail = json.find("detail");
  const bool has_detail = detail != json.end() && detail->is_string();
  return {json["ok"].get<bool>(), has_detail ? detail->get<std::string>() : std::string()};
}

}  // namespace

Client::Client(const std::string& url, std::chrono::milliseconds time_out) : time_out_(time_out) {
  const auto refuse = [&](std::string_view why) {
    throw BadInput(fmt::format("'{}' is not a service URL like http://host:port/path: {}", url, why));
  };
  const std::size_t scheme_end = url.find("://");
  const std::string scheme = url.substr(0, scheme_end);
  if (scheme_end == std::string::npos) refuse("it has no scheme");
  if (scheme != "http" && scheme != "https") refuse("the scheme is neither http nor https");

  const std::size_t path_start = std::min(url.find('/', scheme_end + 3), url.size());
  const std::string authority = url.substr(scheme_end + 3, path_start - scheme_end - 3);
  const std::size_t colon = authority.find(':', authority.rfind(']') + 1);  // not one inside [::1]
  if (!is_host(std::string_view(authority).substr(0, colon))) refuse("the host is missing or malformed");
  if (colon != std::string::npos && !is_port(std::string_view(authority).substr(colon + 1))) {
    refuse("the port is not a number from 1 to 65535");
  }
  origin_ = url.substr(0, path_start);
  path_ = url.substr(path_start);
  if (path_.find_first_of("?# ") != std::string::npos) refuse("it has a query, a fragment or a space");
  while (path_.ends_with('/')) path_.pop_back();

  // Writing to a connection that was shut down must be an error here, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
}

Answer Client::ask(const std::string& user, Check check) const {
  SocketShutter shutter;
  httplib::Client http(origin_);
  http.set_connection_timeout(time_out_);
  http.set_read_timeout(time_out_);
  http.set_write_timeout(time_out_);
  http.set_tcp_nodelay(true);
  http.set_socket_options([&](int socket) { shutter.watch(socket); });

  const tg::OnStop on_stop([&] { shutter.shut(); });
  if (tg::thread_utils::event_is_set()) throw Interrupted("not asked");
  const auto result =
      http.Get(fmt::format("{}/accounts/{}/{}", path_, percent_encoded(user), name_of(check)));

  if (!result) {
    if (tg::thread_utils::event_is_set()) throw Interrupted("interrupted while waiting for the answer");
    throw Unavailable(fmt::format("no answer from {} ({})", url(), httplib::to_string(result.error())));
  }
  if (result->status == 429 || result->status >= 500) {
    throw Unavailable(fmt::format("the service answered {}", result->status));
  }
  if (result->status != 200) throw BadAnswer(fmt::format("the service answered {}", result->status));
  return parse_answer(result->body);
}

}  // namespace verify_users

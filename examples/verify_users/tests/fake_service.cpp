// SPDX-License-Identifier: Apache-2.0
// The fake account service.
#include "fake_service.hpp"

#include <httplib.h>

#include <algorithm>
#include <latch>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

namespace verify_users {

class FakeService::Impl {
 public:
  Impl() {
    server_.Get(R"(/api/accounts/(.+)/(\w+))", [this](const auto& request, auto& response) {
      enter();
      answer(request.matches[1], request.matches[2], response);
      leave();
    });
    server_.set_keep_alive_max_count(1);
    server_.new_task_queue = [this] {
      auto* const queue = new httplib::ThreadPool(100);
      listening_.count_down();
      return queue;
    };
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    listening_.wait();
  }

  ~Impl() {
    over_.count_down();
    server_.stop();
    thread_.join();
  }

  int port() const { return port_; }
  std::size_t most_at_once() const {
    const std::lock_guard lock(mutex_);
    return most_at_once_;
  }

 private:
  void answer(const std::string& user, const std::string& check, httplib::Response& response) {
    if (user.starts_with("slow")) over_.wait();
    if (user.starts_with("odd")) return response.set_content("<html>", "text/html");
    if (user.starts_with("gone")) {
      response.status = 404;
      return;
    }
    if (user.starts_with("flaky") && is_first(user + '/' + check)) {
      response.status = 503;
      return;
    }
    const bool ok = !(user.starts_with("bad") && check == "home");
    response.set_content(nlohmann::json{{"ok", ok}, {"detail", ok ? "fine" : "home is gone"}}.dump(),
                         "application/json");
  }

  bool is_first(const std::string& question) {
    const std::lock_guard lock(mutex_);
    return asked_.insert(question).second;
  }
  void enter() {
    const std::lock_guard lock(mutex_);
    most_at_once_ = std::max(most_at_once_, ++at_once_);
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    --at_once_;
  }

  httplib::Server server_;
  std::latch listening_{1};
  std::latch over_{1};
  int port_ = 0;
  mutable std::mutex mutex_;
  std::set<std::string> asked_;  // guarded by mutex_, as are the next two
  std::size_t at_once_ = 0;
  std::size_t most_at_once_ = 0;
  std::thread thread_;
};

FakeService::FakeService() : impl_(std::make_unique<Impl>()) {}
FakeService::~FakeService() = default;
std::string FakeService::url() const { return "http://127.0.0.1:" + std::to_string(impl_->port()) + "/api"; }
std::size_t FakeService::most_at_once() const { return impl_->most_at_once(); }

}  // namespace verify_users

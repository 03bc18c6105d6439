// SPDX-License-Identifier: Apache-2.0
// The account service: an HTTP server whose threads are tasks of groups.
#include "service.hpp"

#include <httplib.h>
#include <sys/socket.h>

#include <latch>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <threadgroup/threadgroup.hpp>

#include "accounts.hpp"
#include "moods.hpp"

namespace verify_users {
namespace {

// Runs the server's connections as tasks of a group. Made on the server's listening task, so this group is a
// child of that task's group without an argument that says so.
class ConnectionGroup : public httplib::TaskQueue {
 public:
  explicit ConnectionGroup(std::size_t max) : group_("Connections", {.max_concurrent_threads = max}) {}

  void enqueue(std::function<void()> serve) override {
    // After the event a task would be skipped, and its connection never closed.
    if (group_.event_is_set()) return serve();
    group_.post(std::move(serve));
  }

  void shutdown() override { (void)group_.wait_idle(); }

 private:
  tg::ThreadGroup group_;
};

// httplib listens with a backlog of 5: from the sixth on, the connections of a burst would be repeated after
// a second.
struct Server : httplib::Server {
  void lengthen_backlog() { ::listen(svr_sock_, SOMAXCONN); }
};

}  // namespace

class Service::Impl {
 public:
  Impl(const ServiceOptions& options, LookUp accounts)
      : options_(options),
        accounts_(std::move(accounts)),
        group_("Account service", {.max_concurrent_threads = 1, .daemon = true}) {
    server_.Get(R"(/accounts/(.+)/(\w+))",
                [this](const auto& request, auto& response) { answer(request, response); });
    server_.set_keep_alive_max_count(1);  // an open connection would keep a thread
    server_.set_read_timeout(std::chrono::seconds{2});
    server_.set_tcp_nodelay(true);

    port_ = server_.bind_to_any_port("127.0.0.1");
    if (port_ <= 0) throw std::runtime_error("the account service found no free port on 127.0.0.1");
    server_.lengthen_backlog();

    server_.new_task_queue = [this] {
      auto connections = std::make_unique<ConnectionGroup>(options_.max_connections);
      listening_.count_down();
      return connections.release();
    };
    group_.add_task(tg::TaskName{"listen"}, [this] { server_.listen_after_bind(); });
    listening_.wait();  // stop() does nothing before the server is up, and the listening task would never end
  }

  ~Impl() {
    group_.set_event("the account service is closing");  // wakes the answers that still wait
    server_.stop();
    (void)group_.wait_idle();
  }

  int port() const { return port_; }

 private:
  void answer(const httplib::Request& request, httplib::Response& response) {
    const std::string user = request.matches[1];
    const std::optional<Check> check = check_named(request.matches[2].str());
    if (!check) return say(response, 404, {{"detail", "no such check"}});

    const std::string key = user + '/' + std::string(name_of(*check));
    const Mood mood = mood_for(options_, key, count_attempt(key));
    const bool in_full = tg::thread_utils::event_aware_sleep(mood.latency);
    if (!in_full || mood.unavailable) return say(response, 503, {{"detail", "overloaded"}});

    try {
      const Answer found = accounts_(user, *check);
      say(response, 200,
          {{"user", user}, {"check", name_of(*check)}, {"ok", found.ok}, {"detail", found.detail}});
    } catch (const std::system_error& error) {
      say(response, 503, {{"detail", error.what()}});
    }
  }

  static void say(httplib::Response& response, int status, const nlohmann::json& body) {
    response.status = status;
    // A user's name may be any bytes; those that are not UTF-8 must not make the answer throw.
    response.set_content(body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                         "application/json");
  }

  std::uint64_t count_attempt(const std::string& key) {
    const std::lock_guard lock(mutex_);
    return ++attempts_[key];
  }

  const ServiceOptions options_;
  const LookUp accounts_;
  Server server_;
  std::latch listening_{1};
  int port_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> attempts_;  // by user and check; guarded by mutex_
  tg::ThreadGroup group_;                          // last: its task uses all of the above
};

Service::Service(const ServiceOptions& options, LookUp accounts)
    : impl_(std::make_unique<Impl>(options, std::move(accounts))) {}
Service::~Service() = default;
std::string Service::url() const { return "http://127.0.0.1:" + std::to_string(impl_->port()); }

}  // namespace verify_users

// SPDX-License-Identifier: Apache-2.0
// A web service on cpp-httplib that Prometheus can watch. Each request for /work has a group of its own, and /metrics says
// how the tasks of all these groups have ended.
//
//     metrics_server [PORT]
//     curl 'localhost:PORT/work?tasks=5&failing=1'
//     curl 'localhost:PORT/metrics'
#include <httplib.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

#include <threadgroup/threadgroup.hpp>

using namespace std::chrono_literals;

namespace {

int number(const httplib::Request& request, const char* name) {
  return std::atoi(request.get_param_value(name).c_str());
}

// The group is gone when the request is answered. All of them have the same name, so their path is one series, which keeps
// their counts.
std::string work(int tasks, int failing) {
  tg::ThreadGroup group("work", {.max_concurrent_threads = 4});
  for (int i = 0; i < tasks; ++i) {
    group.post([fails = i < failing] {
      tg::thread_utils::event_aware_sleep(5ms);
      if (fails) throw std::runtime_error("this one fails");
    });
  }
  return group.wait_idle().str() + '\n';
}

// Prometheus says in its request that it prefers OpenMetrics.
void answer_with_metrics(const httplib::Request& request, httplib::Response& response) {
  const bool open =
      request.get_header_value("Accept").find("application/openmetrics-text") != std::string::npos;
  const auto format = open ? tg::MetricsFormat::open_metrics : tg::MetricsFormat::prometheus;
  response.set_content(tg::metrics_text({.format = format}), content_type(format));
}

}  // namespace

int main(int argc, char** argv) {
  tg::SignalShutdown on_signal({.stop = 5s});
  tg::metrics_text();  // counts from here on
  tg::ThreadGroup service("service", {.max_concurrent_threads = 1});

  httplib::Server server;
  server.Get("/metrics", answer_with_metrics);
  server.Get("/work", [&service](const httplib::Request& request, httplib::Response& response) {
    const tg::Attached attached(service);  // this thread is one of cpp-httplib's
    response.set_content(work(number(request, "tasks"), number(request, "failing")), "text/plain");
  });
  const int wanted = argc > 1 ? std::atoi(argv[1]) : 0;
  const int port = wanted == 0 ? server.bind_to_any_port("127.0.0.1")
                               : (server.bind_to_port("127.0.0.1", wanted) ? wanted : -1);
  if (port < 0) {
    std::cerr << "cannot listen on port " << wanted << '\n';
    return 1;
  }
  std::cout << "port " << port << std::endl;

  service.post(tg::TaskName("listen"), [&server] {
    const tg::OnStop stop([&server] { server.stop(); });
    server.listen_after_bind();
  });
  std::cout << on_signal.wait().str() << '\n';
}

// SPDX-License-Identifier: Apache-2.0
// A TCP service with an accept loop and a group for each connection. SIGTERM drains it: requests that were received
// are answered, new connections are not served, and what takes longer than planned is stopped.
//
//     service [SECONDS TO DRAIN]
//
// A request is a line such as "work 300", which takes 300 ms; several on one connection run at the same time.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <system_error>
#include <utility>

#include <threadgroup/threadgroup.hpp>

using namespace std::chrono_literals;

namespace {

int check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

Socket listen_on_any_port() {
  Socket listener(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  check(::bind(listener.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
  check(::listen(listener.fd(), 64), "listen");
  socklen_t size = sizeof address;
  check(::getsockname(listener.fd(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  std::cout << "port " << ntohs(address.sin_port) << std::endl;
  return listener;
}

// Waits until there is something to read. False: the group drains or is stopped, so there is no need to.
bool wait_readable(const Socket& socket) {
  pollfd source{socket.fd(), POLLIN, 0};
  while (!tg::thread_utils::is_draining() && !tg::thread_utils::event_is_set()) {
    if (::poll(&source, 1, 50) > 0) return true;
  }
  return false;
}

void answer(const Socket& client, const std::string& request) {
  const bool whole =
      tg::thread_utils::event_aware_sleep(std::chrono::milliseconds(std::atoi(request.c_str() + 5)));
  const std::string text = request + (whole ? ": done\n" : ": stopped\n");
  if (::send(client.fd(), text.data(), text.size(), MSG_NOSIGNAL) < 0) tg::thread_utils::throw_if_event_set();
}

// Reads requests until the client has no more, or the service goes down. Then the group is joined: each request that
// was read is answered.
void serve(const Socket& client, const std::string& name) {
  tg::ThreadGroup requests(name, {.max_concurrent_threads = 8});
  std::string received;
  while (wait_readable(client)) {
    char buffer[512];
    const ssize_t bytes = ::recv(client.fd(), buffer, sizeof buffer, 0);
    if (bytes <= 0) break;
    received.append(buffer, static_cast<std::size_t>(bytes));
    for (std::size_t end = 0; (end = received.find('\n')) != std::string::npos; received.erase(0, end + 1)) {
      const std::string request = received.substr(0, end);
      requests.post([&client, request] { answer(client, request); });
    }
  }
  requests.join();
}

void accept_loop(tg::ThreadGroup& service, const Socket& listener) {
  for (int number = 1; wait_readable(listener); ++number) {
    Socket client(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.fd() < 0) continue;  // it has gone already
    const std::string name = "connection " + std::to_string(number);
    service.add_task(tg::TaskName(name), [client = std::move(client), name] { serve(client, name); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto drain = std::chrono::duration<double>(argc > 1 ? std::atof(argv[1]) : 5.0);
  tg::SignalShutdown on_signal({.drain = drain, .stop = 2s});
  const Socket listener = listen_on_any_port();
  tg::ThreadGroup service("service", {.max_concurrent_threads = 64});
  service.add_task(tg::TaskName("accept"), [&] { accept_loop(service, listener); });
  const tg::ShutdownReport report = on_signal.wait();
  std::cout << report.str() << '\n';
  return report ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// Starts the programs of the servers, waits until they answer, and ends them.
#include "foreign/servers.hpp"

#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "support/eventually.hpp"
#include "support/loopback.hpp"

namespace tg::test {
namespace {

using namespace std::chrono_literals;

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Starts a server on a free port, and waits until it says that it is ready, which both servers do in the same words. Another
// program may take the port in between, so it tries several.
std::unique_ptr<Process> start(const std::function<std::vector<std::string>(int port)>& command,
                               const std::filesystem::path& folder, int& port) {
  for (int tries = 0; tries < 3; ++tries) {
    port = free_port();
    ProcessOptions options;
    options.directory = folder;
    options.out = Output::file(folder / "log");
    options.err = Output::same_as_out();
    options.own_session = true;
    auto server = std::make_unique<Process>(command(port), std::move(options));
    while (::kill(server->pid(), 0) == 0) {
      if (contents_of(folder / "log").find("eady to accept connections") != std::string::npos) return server;
      leave_time(5ms);
    }
  }
  throw std::runtime_error("the server does not start: " + contents_of(folder / "log"));
}

std::string postgres_program(const std::string& name) {
  for (int version = 20; version > 10; --version) {
    const std::string path = "/usr/lib/postgresql/" + std::to_string(version) + "/bin/" + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

// The command, run as a user that PostgreSQL accepts.
std::vector<std::string> unprivileged(std::vector<std::string> command) {
  if (::geteuid() != 0) return command;
  std::vector<std::string> all{"setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

}  // namespace

int free_port() {
  const int socket = bound_socket(SOCK_STREAM);
  const int port = port_of(socket);
  ::close(socket);
  return port;
}

SilentPeer::SilentPeer() : socket_(bound_socket(SOCK_STREAM)) {
  checked(::listen(socket_, SOMAXCONN), "listen");
  port_ = port_of(socket_);
}

SilentPeer::~SilentPeer() { ::close(socket_); }

Peer::Peer(std::function<void(int)> serve) : serve_(std::move(serve)), listener_([this] { accept_all(); }) {}

Peer::~Peer() {
  ::shutdown(socket(), SHUT_RDWR);  // ends `accept`
  listener_.join();
  for (std::thread& client : clients_) client.join();
}

void Peer::accept_all() {
  for (int client = 0; (client = ::accept4(socket(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
    clients_.emplace_back([this, client] {
      serve_(client);
      ::close(client);
    });
  }
}

bool has_postgres() {
  if (postgres_program("postgres").empty()) return false;
  return ::geteuid() != 0 || ::getpwnam("postgres") != nullptr;
}

Postgres::Postgres() {
  const std::string data = folder_.path() / "data";
  if (::geteuid() == 0) {
    const passwd* const user = ::getpwnam("postgres");
    checked(::chown(folder_.path().c_str(), user->pw_uid, user->pw_gid), "chown");
  }
  const ProcessResult made = run_process(unprivileged({postgres_program("initdb"), "-D", data, "-U", "tester",
                                                       "-A", "trust", "--no-sync", "--locale=C"}),
                                         {.directory = folder_.path()});
  if (!made.status.ok())
    throw std::runtime_error("initdb " + made.status.text() + ": " + made.out + made.err);
  server_ = start(
      [&](int port) {
        std::vector<std::string> command{postgres_program("postgres"), "-D", data, "-p",
                                         std::to_string(port)};
        for (const char* const setting :
             {"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=16MB",
              "dynamic_shared_memory_type=mmap", "autovacuum=off", "max_connections=64", "jit=off"}) {
          command.insert(command.end(), {"-c", setting});
        }
        return unprivileged(command);
      },
      folder_.path(), port_);
}

Postgres::~Postgres() {
  server_->send_signal(SIGINT);  // ends without waiting for its clients
  server_->wait();
}

std::string Postgres::connection() const {
  return "host=127.0.0.1 port=" + std::to_string(port_) +
         " user=tester dbname=postgres sslmode=disable gssencmode=disable";
}

bool has_redis() { return ::access("/usr/bin/redis-server", X_OK) == 0; }

Redis::Redis() {
  server_ = start(
      [](int port) {
        return std::vector<std::string>{
            "/usr/bin/redis-server", "--bind", "127.0.0.1", "--port", std::to_string(port), "--save", "",
            "--appendonly",          "no"};
      },
      folder_.path(), port_);
}

}  // namespace tg::test

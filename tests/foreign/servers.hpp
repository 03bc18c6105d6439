// SPDX-License-Identifier: Apache-2.0
// Servers for the tests of third-party libraries: on loopback, on free ports, in temporary folders.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/process.hpp>

#include "support/temporary_folder.hpp"

namespace tg::test {

/// A port of 127.0.0.1 on which nothing listens.
int free_port();

/// A peer that sends nothing: the kernel completes connections, which are never accepted.
class SilentPeer {
 public:
  SilentPeer();
  ~SilentPeer();
  SilentPeer(const SilentPeer&) = delete;
  SilentPeer& operator=(const SilentPeer&) = delete;
  int port() const { return port_; }

 protected:
  int socket() const { return socket_; }

 private:
  const int socket_;
  int port_ = 0;
};

/// A peer that runs a function for each connection, on a thread of its own, with the connected socket. The function has
/// to return when its client closes the connection.
class Peer : private SilentPeer {
 public:
  explicit Peer(std::function<void(int socket)> serve);
  ~Peer();
  using SilentPeer::port;

 private:
  void accept_all();
  const std::function<void(int)> serve_;
  std::vector<std::thread> clients_;  // used by the thread below until it is joined
  std::thread listener_;
};

/// Whether this machine has the server's program.
bool has_postgres();
/// The same of Redis.
bool has_redis();

/// A real PostgreSQL server with an empty database. It does not run as root, so for root it runs as the user `postgres`.
class Postgres {
 public:
  Postgres();
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;
  /// For `PQconnectdb`.
  std::string connection() const;

 private:
  TemporaryFolder folder_;
  int port_ = 0;
  std::unique_ptr<Process> server_;
};

/// A real Redis server.
class Redis {
 public:
  Redis();
  int port() const { return port_; }

 private:
  TemporaryFolder folder_;
  int port_ = 0;
  std::unique_ptr<Process> server_;
};

}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// libpq: a stopped query throws `Stopped`, and the server stops it, too. Needs libpq and `threadgroup::interpose`.
#pragma once

#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>

#include <threadgroup/duration.hpp>
#include <threadgroup/posix.hpp>
#include <threadgroup/scope.hpp>
#include <threadgroup/thread_utils.hpp>

namespace tg::inline v0::adapters {

/// Makes the queries of one connection stoppable, on the server, too.
///
///     const tg::adapters::StoppableLibpq stoppable(connection);
///     PGresult* const result = stoppable(PQexec(connection, "select ..."));   // throws tg::Stopped
///
/// `threadgroup::interpose` ends the wait for the server. But PostgreSQL goes on with a query whose client is gone, so the
/// object then sends a request to cancel it (`PQcancel`). Until the server has ended, or the grace is over, it repeats the
/// request: a server that has not read the query yet ignores it.
///
/// Requires: the connection outlives the object.
/// Guarantees: after a stop the connection cannot be used for another query, which would get the results of the stopped
/// one: the object has shut it down. Only `PQfinish` and `PQreset` are of use then.
/// Thread safety: as the connection's.
class StoppableLibpq {
 public:
  /// `grace`: how long a stopped caller waits for the server; 0.5 s by default.
  explicit StoppableLibpq(PGconn* connection, Duration grace = Duration::from_nanos(500'000'000)) noexcept
      : connection_(connection), grace_(grace) {}

  /// Returns the result of `PQexec`, `PQgetResult` and so on. If it is null or an error, not the server's answer, and the
  /// caller is stopped: cancels the query, frees the result and throws `Stopped`.
  PGresult* operator()(PGresult* result) const {
    const bool answered = result != nullptr && (PQresultStatus(result) != PGRES_FATAL_ERROR ||
                                                PQresultErrorField(result, PG_DIAG_SQLSTATE) != nullptr);
    if (answered || !thread_utils::event_is_set()) return result;
    PQclear(result);
    cancel();
    thread_utils::throw_if_event_set();
    return nullptr;
  }

 private:
  void cancel() const {
    const Shield shield(grace_, "cancel a query");
    ::shutdown(PQsocket(connection_), SHUT_WR);  // ends a server that has got no query
    PGcancel* const request = PQgetCancel(connection_);
    std::array<char, 256> error{};
    while (PQcancel(request, error.data(), error.size()) != 0 && !has_ended() &&
           !thread_utils::event_is_set()) {
    }
    PQfreeCancel(request);
  }
  // Waits 20 ms for the server to close the connection.
  bool has_ended() const {
    std::array<char, 4096> rest{};
    pollfd socket{PQsocket(connection_), POLLIN, 0};
    if (socket.fd < 0) return true;
    while (posix::poll(&socket, 1, 20) > 0) {
      if (posix::recv(socket.fd, rest.data(), rest.size(), MSG_DONTWAIT) <= 0) return true;
    }
    return false;
  }

  PGconn* const connection_;
  const Duration grace_;
};

}  // namespace tg::inline v0::adapters

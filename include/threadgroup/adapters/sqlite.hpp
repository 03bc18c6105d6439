// SPDX-License-Identifier: Apache-2.0
// SQLite: a stopped statement throws `Stopped`. Needs SQLite, and `threadgroup::interpose` for busy waits.
#pragma once

#include <sqlite3.h>

#include <threadgroup/thread_utils.hpp>

namespace tg::inline v0::adapters {

/// Makes the statements of one connection stoppable, while the object lives.
///
///     const tg::adapters::StoppableSqlite stoppable(db);
///     while (stoppable(sqlite3_step(query)) == SQLITE_ROW) {      // throws tg::Stopped
///       use(query);
///     }
///
/// A query that computes is ended by the connection's progress handler, which the object takes: it asks every thousand
/// instructions of SQLite's virtual machine. A wait for a locked database (`sqlite3_busy_timeout`) is ended by
/// `threadgroup::interpose`. `sqlite3_interrupt` is not used: it is lost if it comes between two statements.
///
/// Requires: the connection has no progress handler of its own, and outlives the object.
/// Guarantees: after a stop the connection can be used again. SQLite rolls back the statement; the transaction is still open,
/// except after SQLITE_INTERRUPT of a statement that writes. Roll back in a `Shield`.
/// Thread safety: as the connection's. The handler asks whether the thread that runs the statement is stopped.
class StoppableSqlite {
 public:
  /// Takes the progress handler.
  explicit StoppableSqlite(sqlite3* connection) noexcept : connection_(connection) {
    sqlite3_progress_handler(connection_, 1000, &ask, nullptr);
  }
  ~StoppableSqlite() { sqlite3_progress_handler(connection_, 0, nullptr, nullptr); }
  StoppableSqlite(const StoppableSqlite&) = delete;
  StoppableSqlite& operator=(const StoppableSqlite&) = delete;

  /// Returns the code of `sqlite3_step`, `sqlite3_exec` and so on. Throws `Stopped` if it is an error and the caller is
  /// stopped: SQLITE_INTERRUPT after a query that computes, SQLITE_BUSY after a busy wait.
  int operator()(int code) const {
    if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) thread_utils::throw_if_event_set();
    return code;
  }

 private:
  static int ask(void*) { return thread_utils::event_is_set() ? 1 : 0; }
  sqlite3* const connection_;
};

}  // namespace tg::inline v0::adapters

// SPDX-License-Identifier: Apache-2.0
// SQLite: a wait for a locked database, and a query that computes.
#include <gtest/gtest.h>

#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <string>

#include <threadgroup/adapters/sqlite.hpp>
#include <threadgroup/threadgroup.hpp>

#include "foreign/random_stops.hpp"
#include "foreign/servers.hpp"

namespace tg::test {
namespace sqlite_test {
namespace {

using namespace std::chrono_literals;

class Database {
 public:
  explicit Database(const std::string& path) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open(path.c_str(), &opened);
    raw_.reset(opened);
    check(code);
    check(sqlite3_busy_timeout(opened, 60'000));
  }
  void execute(const std::string& statements) const {
    const adapters::StoppableSqlite stoppable(raw_.get());
    check(stoppable(sqlite3_exec(raw_.get(), statements.c_str(), nullptr, nullptr, nullptr)));
  }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(raw_.get()));
  }
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> raw_{nullptr, &sqlite3_close};
};

const char* const kEndless =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select sum(i) from n";

TEST(Sqlite, is_stopped_at_random_moments_of_a_busy_wait) {
  const NoDescriptorIsLeft checked;
  const TemporaryFolder folder;
  const std::string path = folder.path() / "data";
  const Database owner(path);
  owner.execute("create table t(x); begin exclusive");
  stop_at_random("SQLite, busy wait", 5ms, [&](unsigned, Phase& phase) {
    phase = "opening";
    const Database database(path);
    phase = "busy wait";
    database.execute("insert into t values (1)");
  });
  owner.execute("commit");
  Database(path).execute("insert into t values (2)");
}

TEST(Sqlite, is_stopped_at_random_moments_of_a_long_query) {
  stop_at_random(
      "SQLite, long query", 2ms,
      [&](unsigned random, Phase& phase) {
        phase = "short queries";
        const Database database(":memory:");
        for (unsigned i = 0; i < random % 4; ++i)
          database.execute("create table t(x); insert into t values (1); drop table t");
        phase = "long query";
        database.execute(kEndless);
      },
      1);
}

TEST(Sqlite, connection_can_be_used_after_a_stop) {
  const Database database(":memory:");
  database.execute("create table t(x)");
  {
    const StopScope scope(5ms);
    EXPECT_THROW(database.execute(kEndless), Stopped);
  }
  database.execute("insert into t values (1)");
}

}  // namespace
}  // namespace sqlite_test
}  // namespace tg::test

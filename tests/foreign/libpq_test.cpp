// SPDX-License-Identifier: Apache-2.0
// libpq against a real PostgreSQL server, which stops the queries of stopped tasks, too.
#include <gtest/gtest.h>

#include <libpq-fe.h>

#include <memory>
#include <stdexcept>
#include <string>

#include <threadgroup/adapters/libpq.hpp>
#include <threadgroup/threadgroup.hpp>

#include "foreign/random_stops.hpp"
#include "foreign/servers.hpp"
#include "support/eventually.hpp"

namespace tg::test {
namespace libpq_test {
namespace {

using namespace std::chrono_literals;

// One server for all tests.
class Libpq : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (has_postgres()) server_ = new Postgres;
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_ == nullptr)
      GTEST_SKIP() << "needs the server's programs (Debian: postgresql) and a user that may run them";
  }
  static inline Postgres* server_ = nullptr;
};

struct Connection {
  explicit Connection(const std::string& info) : owned(PQconnectdb(info.c_str()), &PQfinish) {
    if (PQstatus(raw) == CONNECTION_OK) return;
    thread_utils::throw_if_event_set();
    throw std::runtime_error(PQerrorMessage(raw));
  }
  const std::unique_ptr<PGconn, decltype(&PQfinish)> owned;
  PGconn* const raw = owned.get();
};

// The value in the first row.
std::string value_of(const Connection& connection, PGresult* result) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> freed(result, &PQclear);
  if (PQresultStatus(result) != PGRES_TUPLES_OK) throw std::runtime_error(PQerrorMessage(connection.raw));
  return PQgetvalue(result, 0, 0);
}

// The grace is long, so that no query is left where the server waits for a processor.
std::string ask(const Connection& connection, const std::string& query) {
  const adapters::StoppableLibpq stoppable(connection.raw, 10s);
  return value_of(connection, stoppable(PQexec(connection.raw, query.c_str())));
}

// How many server processes run a query that sleeps.
int sleepers(const Connection& observer) {
  return std::stoi(
      ask(observer,
          "select count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep(%'"));
}

TEST_F(Libpq, is_stopped_at_random_moments_and_the_server_ends_the_query) {
  const NoDescriptorIsLeft checked;
  const SilentPeer silent;
  const std::string info = server_->connection();
  const std::string silent_info =
      "host=127.0.0.1 user=x sslmode=disable port=" + std::to_string(silent.port());
  const std::string long_query = "select length('" + std::string(1'000'000, 'x') + "')";

  stop_at_random(
      "libpq", 30ms,
      [&](unsigned random, Phase& phase) {
        phase = "connecting";
        if (random % 16 == 0) phase = "silent peer";
        const Connection connection(random % 16 == 0 ? silent_info : info);
        if (random / 16 % 4 == 0) phase = "sending", ask(connection, long_query);
        if (random / 16 % 4 == 1)
          phase = "reading", ask(connection, "select repeat('x', 1000) from generate_series(1, 2000)");
        phase = "waiting";
        if (random / 16 % 4 == 2)
          ask(connection, "select pg_sleep(0.0001), repeat('x', 500) from generate_series(1, 100000)");
        ask(connection, "select pg_sleep(3600)");
      },
      4);

  const Connection observer(info);
  EXPECT_EQ(ask(observer, "select 42"), "42");
  eventually([&] { return sleepers(observer) == 0; });
}

// Why there is an adapter.
TEST_F(Libpq, without_its_adapter_leaves_a_query_that_runs_on) {
  const Connection observer(server_->connection());
  {
    const Connection connection(server_->connection());
    ThreadGroup group("asks");
    group.post([&] { PQclear(PQexec(connection.raw, "select pg_sleep(3600)")); });
    eventually([&] { return sleepers(observer) == 1; });
    group.set_event("enough");
    group.join();
  }
  ask(observer, "select pg_sleep(0.2)");  // a server that was to end the query has done so by now
  EXPECT_EQ(sleepers(observer), 1);
  ask(observer,
      "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep(%'");
  eventually([&] { return sleepers(observer) == 0; });
}

TEST_F(Libpq, reports_an_error_of_the_server_as_one_also_in_a_stopped_scope) {
  const Connection connection(server_->connection());
  const adapters::StoppableLibpq stoppable(connection.raw);
  PGresult* const wrong = PQexec(connection.raw, "select nonsense");
  StopScope scope;
  scope.set_event();
  EXPECT_EQ(stoppable(wrong), wrong);
  PQclear(wrong);
  EXPECT_THROW(stoppable(PQexec(connection.raw, "select 1")), Stopped);
}

}  // namespace
}  // namespace libpq_test
}  // namespace tg::test

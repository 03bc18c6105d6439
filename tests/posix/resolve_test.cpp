// SPDX-License-Identifier: Apache-2.0
// Lookups against a name server on loopback, which may be silent, and stops in the middle of them.
#include <threadgroup/resolve.hpp>

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "base/spin.hpp"
#include "posix/name_server.hpp"
#include "posix/system_lookup.hpp"
#include "support/eventually.hpp"
#if TG_USE_CARES
#include "posix/ares_lookup.hpp"
#endif

namespace tg::resolve_test {
namespace {
std::atomic<std::uint16_t> port_of_name_server{0};  // 0: that of the system
}
}  // namespace tg::resolve_test

// The system's, which asks the test's name server: its address cannot be chosen otherwise.
extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** result) {
  using Function = int(const char*, const char*, const addrinfo*, addrinfo**);
  static Function* const real = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  if (const std::uint16_t port = tg::resolve_test::port_of_name_server) {
    ::res_init();
    _res.nscount = 1;
    _res.nsaddr_list[0].sin_family = AF_INET;
    _res.nsaddr_list[0].sin_port = htons(port);
    _res.nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    _res.retrans = 1;
    _res.retry = 1;
    _res.options &= ~static_cast<unsigned long>(RES_DNSRCH | RES_DEFNAMES);
  }
  return real(host, service, hints, result);
}

#if TG_ADDRESS_SANITIZER
// glibc keeps what a thread that looks names up has allocated until the thread ends, which an abandoned one does not.
extern "C" const char* __lsan_default_suppressions() { return "leak:__res_context_send"; }
#endif

namespace tg::test {
namespace resolve_test {
namespace {

using namespace std::chrono_literals;
using namespace tg::resolve_test;

// The system's lookups ask it.
class SystemsNameServer : public NameServer {
 public:
  SystemsNameServer() { port_of_name_server = port(); }
  ~SystemsNameServer() { port_of_name_server = 0; }
};

using Texts = std::vector<std::string>;

Texts texts(const std::vector<Address>& addresses) {
  Texts found;
  for (const Address& address : addresses) found.push_back(address.str());
  std::sort(found.begin(), found.end());
  return found;
}

// Each lookup that the build has.
enum class By { system, ares };

std::vector<Address> look_up(By by, const NameServer& server, const std::string& host,
                             const std::string& service = {}, const ResolveOptions& options = {}) {
#if TG_USE_CARES
  if (by == By::ares) return detail::look_up_by_ares(host, service, options, server.address());
#endif
  static_cast<void>(by);
  static_cast<void>(server);
  return detail::look_up_by_system(host, service, options);
}

class Lookup : public testing::TestWithParam<By> {
 protected:
  // A call that a test has abandoned ends before the next test.
  void TearDown() override {
    eventually([] { return ThreadEventsController::instance().snapshot().abandoned().empty(); });
  }
  SystemsNameServer server;
};

TEST_P(Lookup, finds_the_addresses_of_both_families) {
  EXPECT_EQ(texts(look_up(GetParam(), server, "printer.test", "443")),
            (Texts{"192.0.2.7:443", "[2001:db8::7]:443"}));
  const StopScope scope;
  EXPECT_EQ(texts(look_up(GetParam(), server, "printer.test", "443")),
            (Texts{"192.0.2.7:443", "[2001:db8::7]:443"}));
}

TEST_P(Lookup, finds_the_addresses_of_one_family) {
  ResolveOptions four;
  four.family = AF_INET;
  EXPECT_EQ(texts(look_up(GetParam(), server, "printer.test", "", four)), Texts{"192.0.2.7:0"});
  ResolveOptions six;
  six.family = AF_INET6;
  EXPECT_EQ(texts(look_up(GetParam(), server, "printer.test", "", six)), Texts{"[2001:db8::7]:0"});
}

TEST_P(Lookup, finds_names_of_the_hosts_file_without_a_question) {
  ResolveOptions options;
  options.family = AF_INET;
  const Texts found = texts(look_up(GetParam(), server, "localhost", "80", options));
  EXPECT_EQ(found, Texts{"127.0.0.1:80"});
  EXPECT_EQ(server.questions(), 0);
}

TEST_P(Lookup, knows_services_by_name) {
  ResolveOptions options;
  options.family = AF_INET;
  if (::getservbyname("https", "tcp") == nullptr) GTEST_SKIP() << "there is no /etc/services";
  EXPECT_EQ(texts(look_up(GetParam(), server, "printer.test", "https", options)), Texts{"192.0.2.7:443"});
  EXPECT_THROW(look_up(GetParam(), server, "printer.test", "no-such-service"), ResolveError);
}

TEST_P(Lookup, of_an_unknown_name_throws_what_names_host_and_service) {
  try {
    look_up(GetParam(), server, "nowhere.test", "80");
    FAIL();
  } catch (const ResolveError& e) {
    EXPECT_EQ(std::string(e.what()).find("cannot resolve host 'nowhere.test', service '80': "), 0u)
        << e.what();
    EXPECT_EQ(e.host(), "nowhere.test");
    EXPECT_EQ(e.service(), "80");
    EXPECT_FALSE(e.is_temporary());
  }
}

TEST_P(Lookup, failed_name_servers_may_answer_later) {
  for (const std::uint8_t code : {std::uint8_t{2}, std::uint8_t{4}, std::uint8_t{5}}) {
    server.fail_with(code);
    try {
      look_up(GetParam(), server, "printer.test", "80");
      ADD_FAILURE() << int{code};
    } catch (const ResolveError& e) {
      EXPECT_TRUE(e.is_temporary()) << e.what();
    }
  }
}

TEST_P(Lookup, finds_the_types_of_sockets_and_their_protocols) {
  using Kinds = std::vector<std::pair<int, int>>;
  const auto kinds = [&](const ResolveOptions& options) {
    Kinds found;
    for (const Address& address : look_up(GetParam(), server, "printer.test", "443", options)) {
      EXPECT_EQ(address.port(), 443);
      found.emplace_back(address.type(), address.protocol());
    }
    return found;
  };
  ResolveOptions options;
  options.family = AF_INET6;
  EXPECT_EQ(kinds(options), (Kinds{{SOCK_STREAM, IPPROTO_TCP}}));
  options.type = SOCK_DGRAM;
  EXPECT_EQ(kinds(options), (Kinds{{SOCK_DGRAM, IPPROTO_UDP}}));
  options.type = 0;
  EXPECT_EQ(kinds(options),
            (Kinds{{SOCK_STREAM, IPPROTO_TCP}, {SOCK_DGRAM, IPPROTO_UDP}, {SOCK_RAW, IPPROTO_IP}}));
}

TEST_P(Lookup, at_a_silent_name_server_is_ended_by_a_stop) {
  server.be_silent();
  ThreadGroup group("group");
  const auto task = group.add_task([&] { return look_up(GetParam(), server, "printer.test", "80"); });
  eventually([&] { return server.questions() > 0; });
  group.set_event("enough");
  EXPECT_EQ(group.join().counts.stopped, 1u);
}

TEST_P(Lookup, of_a_stopped_caller_asks_no_name_server) {
  StopScope scope;
  scope.set_event("enough");
  EXPECT_THROW(look_up(GetParam(), server, "printer.test", "80"), Stopped);
  EXPECT_EQ(server.questions(), 0);
}

TEST_P(Lookup, is_stopped_at_random_moments) {
  const char* const wanted = std::getenv("TG_RESOLVE_STOPS");
  const int stops = wanted != nullptr ? std::atoi(wanted) : 1'000;
  constexpr int kTasks = 8;
  for (int done = 0; done < stops; done += kTasks) {
    ThreadGroup group("group");
    std::latch running(kTasks);
    for (int i = 0; i < kTasks; ++i) {
      group.post([&] {
        running.count_down();
        for (;;) {
          if (texts(look_up(GetParam(), server, "printer.test", "443")).size() != 2)
            throw std::runtime_error("an address is missing");
        }
      });
    }
    running.wait();
    for (int spins = 500 * (done % 64); spins > 0; --spins) detail::relax();
    group.set_event("enough");
    EXPECT_EQ(group.join().counts.stopped, static_cast<std::uint64_t>(kTasks));
  }
}

INSTANTIATE_TEST_SUITE_P(BySystem, Lookup, testing::Values(By::system));
#if TG_USE_CARES
INSTANTIATE_TEST_SUITE_P(ByAres, Lookup, testing::Values(By::ares));

TEST(Resolve, leaves_nothing_behind_with_c_ares) {
  SystemsNameServer server;
  server.be_silent();
  const StopScope scope(10ms);
  EXPECT_THROW(detail::look_up_by_ares("printer.test", "80", {}, server.address()), Stopped);
  EXPECT_TRUE(ThreadEventsController::instance().snapshot().abandoned().empty());
}
#endif

TEST(Resolve, addresses_and_ports_need_no_lookup) {
  const SystemsNameServer server;
  EXPECT_EQ(texts(resolve("192.0.2.9", "80")), Texts{"192.0.2.9:80"});
  EXPECT_EQ(texts(resolve("2001:db8::1", "80")), Texts{"[2001:db8::1]:80"});
  EXPECT_EQ(server.questions(), 0);
}

TEST(Resolve, addresses_with_a_zone_are_no_names) {
  if (::getservbyname("https", "tcp") == nullptr) GTEST_SKIP() << "there is no /etc/services";
  const SystemsNameServer server;
  const StopScope scope(10s);
  EXPECT_EQ(texts(resolve("fe80::1%lo", "https")), Texts{"[fe80::1%lo]:443"});
  EXPECT_EQ(texts(resolve("192.0.2.9", "https")), Texts{"192.0.2.9:443"});
  EXPECT_EQ(server.questions(), 0);
}

TEST(Resolve, refuses_a_nul_character) {
  using namespace std::string_literals;
  EXPECT_THROW(resolve("127.0.0.1\0.evil.example"s, "80"), std::invalid_argument);
  EXPECT_THROW(resolve("127.0.0.1", "80\0abc"s), std::invalid_argument);
}

TEST(Resolve, other_families_are_refused) {
  ResolveOptions options;
  options.family = AF_UNIX;
  try {
    resolve("localhost", "80", options);
    FAIL();
  } catch (const ResolveError& e) {
    EXPECT_FALSE(e.is_temporary()) << e.what();
  }
}

TEST(Resolve, without_a_host_is_this_machine) {
  ResolveOptions options;
  options.family = AF_INET;
  EXPECT_EQ(texts(resolve("", "80", options)), Texts{"127.0.0.1:80"});
  options.is_passive = true;
  EXPECT_EQ(texts(resolve("", "80", options)), Texts{"0.0.0.0:80"});
  EXPECT_THROW(resolve("", ""), ResolveError);
}

TEST(Resolve, finds_names_of_the_hosts_file) {
  ResolveOptions options;
  options.family = AF_INET;
  EXPECT_EQ(texts(resolve("localhost", "80", options)), Texts{"127.0.0.1:80"});
}

TEST(Resolve, addresses_can_be_connected_to) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const Address any = resolve("127.0.0.1", "0").at(0);
  ASSERT_EQ(::bind(listener, any.data(), any.size()), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size), 0);
  const Address own(reinterpret_cast<const sockaddr*>(&bound), size);
  const Address peer = resolve("127.0.0.1", std::to_string(own.port())).at(0);
  const int client = ::socket(peer.family(), peer.type() | SOCK_CLOEXEC, peer.protocol());
  EXPECT_EQ(posix::connect(client, peer.data(), peer.size()), 0);
  ::close(client);
  ::close(listener);
}

TEST(Address, is_a_value) {
  const Address a = resolve("192.0.2.9", "80").at(0);
  Address b = a;
  EXPECT_EQ(a, b);
  b = resolve("192.0.2.9", "81").at(0);
  EXPECT_NE(a, b);
  EXPECT_EQ(b.port(), 81);
  EXPECT_EQ(Address().size(), 0u);
  EXPECT_EQ(Address().str(), "address of family 0");
  std::array<char, 256> large{};
  EXPECT_THROW(Address(reinterpret_cast<const sockaddr*>(large.data()), large.size()), std::invalid_argument);
}

}  // namespace
}  // namespace resolve_test
}  // namespace tg::test

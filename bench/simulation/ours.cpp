// SPDX-License-Identifier: Apache-2.0
// The simulator of this library's own protocols, in weak memory.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>

#include "protocols.hpp"
#include "runtime/futex.hpp"
#include "sim/explorer.hpp"
#include "sim/plain.hpp"

namespace bench {

namespace {

using tg::sim::Explorer;
using tg::sim::Plan;

Explorer* scheduler = nullptr;

class Word {
 public:
  void begin() {}
  int load(Order order) { return static_cast<int>(value_.load(std_order(order))); }
  void store(int value, Order order) { value_.store(static_cast<std::uint32_t>(value), std_order(order)); }
  int exchange(int value, Order order) {
    return static_cast<int>(value_.exchange(static_cast<std::uint32_t>(value), std_order(order)));
  }
  bool change(int from, int to, Order order) {
    auto expected = static_cast<std::uint32_t>(from);
    return value_.compare_exchange_strong(expected, static_cast<std::uint32_t>(to), std_order(order),
                                          std_order(order));
  }
  void sleep_while(int value) {
    tg::runtime::futex_wait(value_, static_cast<std::uint32_t>(value), tg::TimePoint::never());
  }
  void wake_all() { tg::runtime::futex_wake(value_, INT_MAX); }

 private:
  static std::memory_order std_order(Order order) {
    constexpr std::array kOrders{std::memory_order_relaxed, std::memory_order_acquire,
                                 std::memory_order_release, std::memory_order_acq_rel,
                                 std::memory_order_seq_cst};
    return kOrders[static_cast<std::size_t>(order)];
  }
  tg::detail::Atomic<std::uint32_t> value_{0};
};

struct Simulator {
  using Word = bench::Word;
  using Plain = tg::sim::Plain<int>;
  static void require(bool holds) {
    if (!holds) scheduler->fail("required");
  }
};

template <class Protocol>
void run_schedules(std::int64_t schedules, std::int64_t seed, bool has_mistake,
                   volatile std::int64_t& failed_at) {
  std::int64_t number = 0;
  Explorer simulated([&](const std::string&) {
    failed_at = number + 1;
    ::_exit(0);
  });
  scheduler = &simulated;
  const std::array<const char*, 3> names{"first", "second", "third"};
  const std::function<void()> body = [&] {
    scheduler->weak_memory();
    Protocol protocol(has_mistake);
    protocol.begin();
    std::vector<Explorer::Part> parts;
    for (int i = 0; i < Protocol::kFlows; ++i)
      parts.push_back({names[static_cast<std::size_t>(i)], [&protocol, i] { protocol.flow(i); }});
    scheduler->together(parts);
  };
  for (; number < schedules; ++number)
    simulated.run(Plan::of_schedule(static_cast<std::uint64_t>(seed + number), simulated.choices()), body);
}

}  // namespace

// In a child process, which ends with the first schedule that fails.
template <class Protocol>
std::int64_t explore(std::int64_t schedules, std::int64_t seed, bool has_mistake) {
  void* const page =
      ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto& failed_at = *::new (page) volatile std::int64_t(0);
  const pid_t child = ::fork();
  if (child == 0) {
    run_schedules<Protocol>(schedules, seed, has_mistake, failed_at);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) std::abort();
  const std::int64_t result = failed_at;
  ::munmap(page, sizeof(std::int64_t));
  return result;
}

}  // namespace bench

void bench::run(const Options& options) { compare<Simulator>(options); }

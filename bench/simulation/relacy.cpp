// SPDX-License-Identifier: Apache-2.0
// Relacy, D. Vyukov's checker for C++11: its random scheduler, which compares with seeds.
#include <cstdlib>
#include <ostream>
#include <string>

#include "protocols.hpp"

// Last, because it replaces `new`, `assert` and the names of the orders.
#include <relacy/relacy.hpp>

namespace bench {

namespace {

class Word {
 public:
  void begin() { value_.store(0, rl::mo_relaxed, RL_INFO); }
  int load(Order order) { return value_.load(order_of(order), RL_INFO); }
  void store(int value, Order order) { value_.store(value, order_of(order), RL_INFO); }
  int exchange(int value, Order order) { return value_.exchange(value, order_of(order), RL_INFO); }
  bool change(int from, int to, Order order) {
    return value_.compare_exchange_strong(from, to, order_of(order), RL_INFO, order_of(order), RL_INFO);
  }
  // A futex. The addition reads the newest value, as the system does, and no other flow can come between it
  // and the sleep.
  void sleep_while(int value) {
    if (value_.fetch_add(0, rl::mo_relaxed, RL_INFO) == value)
      sleepers_.park_current(rl::ctx(), false, false, false, RL_INFO);
  }
  void wake_all() { sleepers_.unpark_all(rl::ctx(), RL_INFO); }

 private:
  static rl::memory_order order_of(Order order) {
    constexpr std::array<rl::memory_order, 5> kOrders{
        {rl::mo_relaxed, rl::mo_acquire, rl::mo_release, rl::mo_acq_rel, rl::mo_seq_cst}};
    return kOrders[static_cast<std::size_t>(order)];
  }
  rl::atomic<int> value_;
  rl::waitset<3> sleepers_;
};

class Plain {
 public:
  int read() { return value_(RL_INFO); }
  void write(int value) { value_(RL_INFO) = value; }

 private:
  rl::var<int> value_;
};

struct Relacy {
  using Word = bench::Word;
  using Plain = bench::Plain;
  static void require(bool holds) { RL_ASSERT(holds); }
};

template <class Protocol, bool kHasMistake>
struct Suite : rl::test_suite<Suite<Protocol, kHasMistake>, Protocol::kFlows> {
  Protocol protocol{kHasMistake};
  void before() { protocol.begin(); }
  void thread(unsigned number) { protocol.flow(static_cast<int>(number)); }
};

}  // namespace

template <class Protocol>
std::int64_t explore(std::int64_t schedules, std::int64_t seed, bool has_mistake) {
  std::ostream nowhere(nullptr);
  rl::test_params params;
  params.output_stream = params.progress_stream = &nowhere;
  params.initial_state = std::to_string(seed + 1);
  params.iteration_count = static_cast<rl::iteration_t>(seed + schedules);
  const bool passed = has_mistake ? rl::simulate<Suite<Protocol, true>>(params)
                                  : rl::simulate<Suite<Protocol, false>>(params);
  return passed ? 0 : static_cast<std::int64_t>(params.stop_iteration) - seed;
}

}  // namespace bench

void bench::run(const Options& options) { compare<Relacy>(options); }

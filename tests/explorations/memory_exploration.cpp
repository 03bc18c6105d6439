// SPDX-License-Identifier: Apache-2.0
// Weak memory itself: small programs whose outcomes the standard defines.
#include <array>
#include <atomic>
#include <optional>
#include <string>

#include "base/fence.hpp"
#include "runtime/asymmetric_fence.hpp"
#include "sim/plain.hpp"

#include "explorations/explore.hpp"

namespace tg::test {
namespace memory_exploration {
namespace {

using detail::Atomic;
using detail::full_fence;
using runtime::heavy_fence;
using runtime::light_fence;
using sim::Plain;

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

// The body fails with this text in one of the first hundred schedules.
template <class Body>
void expect_weak_failure(Body, const char* text) {
  expect_failure(
      [] {
        weak_memory();
        Body()();
      },
      text);
}

// Two words, one of which a flow stores before it loads the other, as Dekker's lock does. Each may find that
// the other one has stored nothing, unless both are ordered.
struct StoreBuffering {
  Atomic<int> x{0};
  Atomic<int> y{0};
  int found_y = 0;
  int found_x = 0;

  template <class First, class Second>
  void run(First first, Second second) {
    together({{"x", [&] { found_y = first(x, y); }}, {"y", [&] { found_x = second(y, x); }}});
    require(found_x == 1 || found_y == 1, "one flow has found the other");
  }
};

template <std::memory_order kStore, std::memory_order kLoad>
int store_and_load(Atomic<int>& mine, Atomic<int>& other) {
  mine.store(1, kStore);
  return other.load(kLoad);
}
const auto seq_cst = [](auto& mine, auto& other) { return store_and_load<kSeqCst, kSeqCst>(mine, other); };
const auto release_acquire = [](auto& mine, auto& other) {
  return store_and_load<kRelease, kAcquire>(mine, other);
};
const auto with_full = [](auto& mine, auto& other) {
  mine.store(1, kRelaxed);
  full_fence();
  return other.load(kRelaxed);
};
const auto with_light = [](auto& mine, auto& other) {
  mine.store(1, kRelaxed);
  light_fence();
  return other.load(kRelaxed);
};
const auto with_heavy = [](auto& mine, auto& other) {
  mine.store(1, kRelaxed);
  heavy_fence();
  return other.load(kRelaxed);
};

TG_WEAK_EXPLORATION(StoreBuffering, seq_cst_accesses_find_each_other) {
  StoreBuffering().run(seq_cst, seq_cst);
}
TG_WEAK_EXPLORATION(StoreBuffering, full_fences_find_each_other) {
  StoreBuffering().run(with_full, with_full);
}
TG_WEAK_EXPLORATION(StoreBuffering, a_fence_and_seq_cst_accesses_find_each_other) {
  StoreBuffering().run(with_full, seq_cst);
}
TG_WEAK_EXPLORATION(StoreBuffering, a_light_and_a_heavy_fence_find_each_other) {
  StoreBuffering().run(with_light, with_heavy);
}
TG_WEAK_EXPLORATION(StoreBuffering, heavy_and_full_fences_find_each_other) {
  StoreBuffering().run(with_heavy, with_full);
}
TEST(StoreBuffering, release_and_acquire_miss_each_other) {
  expect_weak_failure([] { StoreBuffering().run(release_acquire, release_acquire); }, "one flow has found");
}
TEST(StoreBuffering, one_seq_cst_side_is_not_enough) {
  expect_weak_failure([] { StoreBuffering().run(seq_cst, release_acquire); }, "one flow has found");
}
TEST(StoreBuffering, one_fence_is_not_enough) {
  expect_weak_failure([] { StoreBuffering().run(with_full, release_acquire); }, "one flow has found");
}
TEST(StoreBuffering, two_light_fences_miss_each_other) {
  expect_weak_failure([] { StoreBuffering().run(with_light, with_light); }, "one flow has found");
}
TEST(StoreBuffering, a_light_and_a_full_fence_miss_each_other) {
  expect_weak_failure([] { StoreBuffering().run(with_light, with_full); }, "one flow has found");
}

// A flow writes data and a flag; another one that sees the flag reads the data.
template <class Send, class Receive>
void pass_message(Send send, Receive receive) {
  Plain<int> data{0};
  Atomic<int> flag{0};
  together({{"sender",
             [&] {
               data.write(1);
               send(flag);
             }},
            {"receiver", [&] {
               if (receive(flag) != 0) require(data.read() == 1, "the data has come");
             }}});
}
template <std::memory_order kOrder>
void send(Atomic<int>& flag) {
  flag.store(1, kOrder);
}
template <std::memory_order kOrder>
int receive(Atomic<int>& flag) {
  return flag.load(kOrder);
}
void fence_and_send(Atomic<int>& flag) {
  full_fence();
  flag.store(1, kRelaxed);
}
int receive_and_fence(Atomic<int>& flag) {
  const int seen = flag.load(kRelaxed);
  full_fence();
  return seen;
}

TG_WEAK_EXPLORATION(MessagePassing, release_and_acquire_pass_data) {
  pass_message(send<kRelease>, receive<kAcquire>);
}
TG_WEAK_EXPLORATION(MessagePassing, fences_pass_data) { pass_message(fence_and_send, receive_and_fence); }
TG_WEAK_EXPLORATION(MessagePassing, a_fence_and_an_acquire_pass_data) {
  pass_message(fence_and_send, receive<kAcquire>);
}
TEST(MessagePassing, relaxed_sender_races) {
  expect_weak_failure([] { pass_message(send<kRelaxed>, receive<kAcquire>); },
                      "data race: flow 2 (sender) writes");
}
TEST(MessagePassing, relaxed_receiver_races) {
  expect_weak_failure([] { pass_message(send<kRelease>, receive<kRelaxed>); }, "flow 3 (receiver) reads");
}
TEST(MessagePassing, light_fence_passes_no_data) {
  expect_weak_failure(
      [] {
        pass_message(
            [](auto& flag) {
              light_fence();
              send<kRelaxed>(flag);
            },
            receive<kAcquire>);
      },
      "data race");
}

// A third flow changes the flag in between. A read-modify-write continues the release sequence, a store does not.
template <class Meddle>
void pass_message_by_a_third(Meddle meddle) {
  Plain<int> data{0};
  Atomic<int> flag{0};
  together({{"sender",
             [&] {
               data.write(1);
               flag.store(1, kRelease);
             }},
            {"third", [&] { meddle(flag); }},
            {"receiver", [&] {
               if (flag.load(kAcquire) == 3) require(data.read() == 1, "the data has come");
             }}});
}
TG_WEAK_EXPLORATION(MessagePassing, a_change_continues_a_release_sequence) {
  pass_message_by_a_third([](auto& flag) { flag.fetch_add(2, kRelaxed); });
}
TEST(MessagePassing, a_store_ends_a_release_sequence) {
  expect_weak_failure(
      [] {
        pass_message_by_a_third([](auto& flag) {
          if (flag.load(kRelaxed) == 1) flag.store(3, kRelaxed);
        });
      },
      "data race");
}

// A flow that learns what another one has read reads nothing older.
TG_WEAK_EXPLORATION(Coherence, a_flow_does_not_see_a_word_go_back) {
  Atomic<int> word{0};
  together({{"writer",
             [&] {
               for (int i = 1; i <= 3; ++i) word.store(i, kRelaxed);
             }},
            {"reader", [&] {
               int last = 0;
               for (int i = 0; i < 3; ++i) {
                 const int seen = word.load(kRelaxed);
                 require(seen >= last, "a later store");
                 last = seen;
               }
             }}});
}
TG_WEAK_EXPLORATION(Coherence, what_one_flow_has_read_happens_before_what_it_tells) {
  Atomic<int> word{0};
  Atomic<int> told{0};
  together({{"writer", [&] { word.store(1, kRelaxed); }},
            {"reader",
             [&] {
               if (word.load(kRelaxed) == 1) told.store(1, kRelease);
             }},
            {"listener", [&] {
               if (told.load(kAcquire) == 1) require(word.load(kRelaxed) == 1, "no older store");
             }}});
}

// Two flows store, and two others read in opposite orders.
template <std::memory_order kStore, std::memory_order kLoad>
void read_in_two_orders() {
  Atomic<int> x{0};
  Atomic<int> y{0};
  std::array<int, 4> seen{};
  together({{"x", [&] { x.store(1, kStore); }},
            {"y", [&] { y.store(1, kStore); }},
            {"x first",
             [&] {
               seen[0] = x.load(kLoad);
               seen[1] = y.load(kLoad);
             }},
            {"y first", [&] {
               seen[2] = y.load(kLoad);
               seen[3] = x.load(kLoad);
             }}});
  require(!(seen[0] == 1 && seen[1] == 0 && seen[2] == 1 && seen[3] == 0), "one order for all");
}
TG_WEAK_EXPLORATION(Order, seq_cst_stores_have_one_order_for_all) { read_in_two_orders<kSeqCst, kSeqCst>(); }
TEST(Order, release_stores_have_none) {
  expect_weak_failure([] { read_in_two_orders<kRelease, kAcquire>(); }, "one order for all");
}

TEST(MemoryTrace, an_old_value_is_shown_with_the_newest) {
  expect_weak_failure(
      [] {
        Atomic<int> word{0};
        together({{"writer", [&] { word.store(1, kRelaxed); }}, {"reader", [&] { word.load(kRelaxed); }}});
        sim::Explorer& here = scheduler_of_body();
        const std::string text = here.trace().text(here.names(), 100);
        require(text.find("reads w2 = 0 (old; newest 1)") == std::string::npos, "the trace shows it");
      },
      "the trace shows it");
}

// A flow that finds a word must know of its construction.
TEST(Construction, a_word_that_is_published_by_a_relaxed_store_is_reported) {
  expect_weak_failure(
      [] {
        Atomic<Atomic<int>*> word{nullptr};
        std::optional<Atomic<int>> made;
        together({{"maker", [&] { word.store(&made.emplace(1), kRelaxed); }},
                  {"user", [&] {
                     if (auto* const found = word.load(kAcquire)) static_cast<void>(found->load());
                   }}});
      },
      "constructs the word");
}

}  // namespace
}  // namespace memory_exploration
}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// The vault: readers without a lock, steps over several keys, waits for a key, and automatics.
#include <threadgroup/thread_group.hpp>
#include <threadgroup/vault.hpp>

#include <string>
#include <vector>

#include "explorations/explore.hpp"

namespace tg::test {
namespace vault_exploration {
namespace {

const Key<int> a{"a"};
const Key<int> b{"b"};
const Key<int> c{"c"};
const Key<std::string> text{"text"};
const KeyList kKeys{a, b, c, text};
constexpr VaultOptions kReplaces{.permit_modification = true};

// A flow that has seen a part of a step sees all of it from then on (K1); the values are short copies.
TG_EXPLORATION(VaultExploration, steps_are_seen_as_a_whole) {
  Vault vault("vault", kKeys, kReplaces);
  vault.insert_all(entry(a, 0), entry(b, 0));
  together({{"writes",
             [&] {
               for (int i = 1; i <= 2; ++i) vault.insert_all(entry(a, i), entry(b, i));
             }},
            {"reads", [&] {
               const int first = vault.get(a);
               const int second = vault.get(b);
               require(second >= first, "a step is seen as a whole");
               require(vault.get(a) >= second, "what was seen does not go back");
             }}});
}
TG_FINDS(VaultExploration, steps_are_seen_as_a_whole, vault_step_is_seen_in_parts, 500)
TG_SEARCH_FINDS(VaultExploration, steps_are_seen_as_a_whole, vault_step_is_seen_in_parts, 30)

// Long values are read where they are, while they are replaced and removed (V2, V3).
TG_EXPLORATION(VaultExploration, long_values_are_read_while_they_are_replaced) {
  Vault vault("vault", kKeys, kReplaces);
  const std::string values[] = {std::string(40, 'x'), std::string(40, 'y')};
  vault.insert(text, values[0]);
  const auto read = [&] {
    for (int i = 0; i < 2; ++i) {
      const auto found = vault.try_get(text);
      require(!found || *found == values[0] || *found == values[1], "a value that was stored");
    }
  };
  together({{"reads", read}, {"reads as well", read}, {"writes", [&] {
                                                         vault.insert(text, values[1]);
                                                         vault.erase(text);
                                                         vault.insert(text, values[0]);
                                                       }}});
}

TG_EXPLORATION(VaultExploration, a_wait_for_a_key_meets_the_insert) {
  Vault vault("vault", kKeys);
  together({{"waits",
             [&] {
               require(vault.wait_for_all(Duration::max(), a, b) == KeyWait::present, "the keys hold values");
               require(vault.get(a) == 1 && vault.get(b) == 2, "the values are there");
             }},
            {"inserts one", [&] { vault.insert(a, 1); }},
            {"inserts the other", [&] { vault.insert(b, 2); }}});
}
TG_FINDS(VaultExploration, a_wait_for_a_key_meets_the_insert, vault_wakes_no_waiters, 100)
TG_SEARCH_FINDS(VaultExploration, a_wait_for_a_key_meets_the_insert, vault_wakes_no_waiters, 10)

// The inputs come from two flows, and one of them again while the automatic runs: it runs once for each
// complete set, in order, one run at a time.
TG_EXPLORATION(VaultExploration, an_automatic_takes_each_set_once) {
  Vault vault("vault", kKeys, kReplaces);
  ThreadGroup group("group", {.max_concurrent_threads = 2});
  std::vector<int> sums;
  bool runs = false;
  const Automatic automatic = vault.automatic(group, inputs(a, b), outputs(c), [&](int x, int y) {
    require(!runs, "one run at a time");
    runs = true;
    sums.push_back(x + y);
    static_cast<void>(vault.contains(c));  // others may go on here
    runs = false;
    return x + y;
  });
  together({{"inserts one", [&] { vault.insert(a, 1); }}, {"inserts the other", [&] {
                                                             vault.insert(b, 10);
                                                             vault.insert(b, 20);
                                                           }}});
  group.join();
  require(!sums.empty() && sums.back() == 21, "the last set was taken last");
  require(sums.size() == 1 || (sums.size() == 2 && sums.front() == 11), "each complete set was taken once");
  require(vault.get(c) == 21 && automatic.runs() == sums.size(), "the output is that of the last run");
}
TG_FINDS(VaultExploration, an_automatic_takes_each_set_once, flow_automatic_runs_beside_itself, 1000)
TG_FINDS(VaultExploration, an_automatic_takes_each_set_once, flow_automatic_forgets_the_next_set, 1000)

}  // namespace
}  // namespace vault_exploration
}  // namespace tg::test

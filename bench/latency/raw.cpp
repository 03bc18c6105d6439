// SPDX-License-Identifier: Apache-2.0
// The lower bound: a thread on a futex, woken by one system call.
#include "work.hpp"

void bench::run(const Options& options) {
  std::atomic<std::uint32_t> word{0};
  std::atomic<std::uint32_t> next{0};
  std::atomic<Round*> current{nullptr};
  std::jthread sleeper([&] {
    for (;;) {
      sleep_while_zero(next);
      next.store(0);
      Round* const round = current.load();
      if (round == nullptr) return;
      round->sign_in();
      sleep_while_zero(word);
      word.store(0);
      round->sign_awake();
    }
  });
  const auto begin = [&](Round* round) {
    current.store(round);
    set_and_wake_all(next);
  };
  time_wakeups(
      options, [&](Round& round) { begin(&round); }, [&] { set_and_wake_all(word); }, [] {});
  begin(nullptr);
}

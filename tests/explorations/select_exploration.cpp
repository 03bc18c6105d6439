// SPDX-License-Identifier: Apache-2.0
// A wait for the first of several channels: one case is done, once, and no flow sleeps while one is possible.
#include <threadgroup/select.hpp>

#include "explorations/explore.hpp"

namespace tg::test {
namespace select_exploration {
namespace {

TG_EXPLORATION(SelectExploration, one_receives_from_two_channels) {
  Channel<int> first(1);
  Channel<int> second(1);
  int received = 0;
  const auto receive = [&](int) { ++received; };
  together({{"receiver",
             [&] {
               for (int i = 0; i < 2; ++i)
                 require(bool(select(receive_from(first, receive), receive_from(second, receive))), "chosen");
             }},
            {"first sender", [&] { require(first.send(1) == WaitOutcome::ready, "sent"); }},
            {"second sender", [&] { require(second.send(2) == WaitOutcome::ready, "sent"); }}});
  require(received == 2, "both");
}

// The one that selects may be woken for the item of one channel and take that of the other. Then the other receiver
// must hear of the first.
TG_EXPLORATION(SelectExploration, wake_up_that_is_not_used_goes_on) {
  Channel<int> first(1);
  Channel<int> second(1);
  int received = 0;
  const auto receive = [&](int) { ++received; };
  together({{"selects",
             [&] {
               require(bool(select(receive_from(first, receive), receive_from(second, receive))), "chosen");
             }},
            {"receives",
             [&] {
               if (first.receive()) ++received;
             }},
            {"sender", [&] {
               require(second.send(1) == WaitOutcome::ready, "sent");
               require(first.send(2) == WaitOutcome::ready, "sent");
               require(first.send(3) == WaitOutcome::ready, "sent");
             }}});
  require(received == 2, "each has one");
}

// Each can send or receive, and waits for the other.
TG_EXPLORATION(SelectExploration, two_selects_meet) {
  Channel<int> there(0);
  Channel<int> back(0);
  int sent = 0;
  int received = 0;
  const auto one = [&] {
    require(bool(select(send_to(there, 1, [&] { ++sent; }), receive_from(there, [&](int) { ++received; }),
                        send_to(back, 2, [&] { ++sent; }), receive_from(back, [&](int) { ++received; }))),
            "chosen");
  };
  together({{"one", one}, {"other", one}});
  require(sent == 1 && received == 1, "one case of each");
}

}  // namespace
}  // namespace select_exploration
}  // namespace tg::test

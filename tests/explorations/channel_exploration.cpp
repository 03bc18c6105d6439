// SPDX-License-Identifier: Apache-2.0
// Channels: no item is lost or duplicated, and no flow sleeps while its step is possible.
#include <threadgroup/channel.hpp>

#include <array>
#include <optional>

#include "event/event.hpp"
#include "runtime/flow.hpp"
#include "sim/plain.hpp"

#include "explorations/explore.hpp"
#include "support/set_event.hpp"

namespace tg::test {
namespace channel_exploration {
namespace {

using detail::Event;
using runtime::Flow;

// Counts the received items, under no lock: a flow that is about to count holds an item.
struct Count {
  std::array<int, 8> items{};
  void add(int item) { ++items[static_cast<std::size_t>(item)]; }
  void require_each_once(int most) const {
    for (int i = 0; i < most; ++i) require(items[static_cast<std::size_t>(i)] == 1, "each item once");
  }
};

void send(Channel<int>& channel, int item) {
  require(channel.send(int(item)) == WaitOutcome::ready, "it is sent");
}

TG_EXPLORATION(ChannelExploration, sender_and_receiver_wait_for_each_other) {
  Channel<int> channel(1);
  int next = 0;
  together({{"sender",
             [&] {
               for (int i = 0; i < 3; ++i) send(channel, i);
             }},
            {"receiver", [&] {
               while (next < 3) require(channel.receive() == next++, "in order");
             }}});
}
TG_FINDS(ChannelExploration, sender_and_receiver_wait_for_each_other, channel_links_without_second_look, 100)
TG_IN_WEAK_MEMORY(ChannelExploration, sender_and_receiver_wait_for_each_other)
TG_FINDS(ChannelExploration, sender_and_receiver_wait_for_each_other_in_weak_memory,
         channel_stamp_is_not_ordered, 1000)

TG_EXPLORATION(ChannelExploration, two_senders_and_two_receivers) {
  Channel<int> channel(2);
  Count count;
  together({{"first sender", [&] { send(channel, 0), send(channel, 1); }},
            {"second sender", [&] { send(channel, 2), send(channel, 3); }},
            {"first receiver",
             [&] {
               for (int i = 0; i < 2; ++i) count.add(*channel.receive());
             }},
            {"second receiver", [&] {
               for (int i = 0; i < 2; ++i) count.add(*channel.receive());
             }}});
  count.require_each_once(4);
}

// A flow closes the channel while items are under way and receivers wait for them.
TG_EXPLORATION(ChannelExploration, closing_lets_receivers_have_what_was_sent) {
  Channel<int> channel(1);
  Count count;
  int sent = 0;
  int received = 0;
  const auto receive = [&] {
    while (const std::optional<int> item = channel.receive()) count.add(*item), ++received;
  };
  together({{"sender",
             [&] {
               while (sent < 2 && channel.send(int(sent)) == WaitOutcome::ready) ++sent;
             }},
            {"first receiver", receive},
            {"second receiver", receive},
            {"closer", [&] { channel.close(); }}});
  require(sent == received, "what was sent is received");
  count.require_each_once(sent);
}

// One of two receivers is stopped. It may have been woken for the item that the other one waits for.
TG_EXPLORATION(ChannelExploration, stopped_receiver_leaves_the_item_to_the_other_one) {
  Channel<int> channel(1);
  Event event;
  int sent = 0;
  int received = 0;
  together({{"stopped",
             [&] {
               Flow::current().event = &event;
               int item = 0;
               const WaitOutcome outcome = channel.receive(item);
               Flow::current().event = nullptr;
               if (outcome == WaitOutcome::ready) ++received;
               else require(outcome == WaitOutcome::closed || event.is_set(), "it was stopped");
             }},
            {"other",
             [&] {
               if (channel.receive()) ++received;
             }},
            {"sender",
             [&] {
               if (channel.send(1) == WaitOutcome::ready) ++sent;
             }},
            {"setter", [&] {
               set(event);
               channel.close();  // so that the other receiver ends
             }}});
  require(sent == received, "one of them has it");
}

TG_EXPLORATION(ChannelExploration, stopped_one_passes_the_wake_up_on) {
  Channel<int> channel(1);
  Event event;
  int received = 0;
  together({{"stopped",
             [&] {
               Flow::current().event = &event;
               int item = 0;
               const WaitOutcome outcome = channel.receive(item);
               Flow::current().event = nullptr;
               if (outcome == WaitOutcome::ready) send(channel, 2);  // for the other one
             }},
            {"other",
             [&] {
               require(channel.receive().has_value(), "there is one for it");
               ++received;
             }},
            {"sender", [&] { send(channel, 1); }},
            {"setter", [&] { set(event); }}});
  require(received == 1, "it is not forgotten");
}
TG_FINDS(ChannelExploration, stopped_one_passes_the_wake_up_on, channel_waiter_leaves_no_next, 3000)

TG_EXPLORATION(ChannelExploration, meeting_of_two_and_two) {
  Channel<int> channel(0);
  Count count;
  together({{"first sender", [&] { send(channel, 0); }},
            {"second sender", [&] { send(channel, 1); }},
            {"first receiver", [&] { count.add(*channel.receive()); }},
            {"second receiver", [&] { count.add(*channel.receive()); }}});
  count.require_each_once(2);
}

// A receiver is stopped, or out of time, while a sender hands it the item.
TG_EXPLORATION(ChannelExploration, meeting_with_one_that_leaves) {
  Channel<int> channel(0);
  Event event;
  int received = 0;
  int sent = 0;
  together({{"receiver",
             [&] {
               Flow::current().event = &event;
               int item = 0;
               if (channel.receive(item) == WaitOutcome::ready) received += item;
               Flow::current().event = nullptr;
             }},
            {"sender",
             [&] {
               if (channel.send(1, Duration::from_nanos(1'000'000)) == WaitOutcome::ready) ++sent;
             }},
            {"setter", [&] { set(event); }}});
  require(sent == received, "what was handed over is kept");
}

TG_WEAK_EXPLORATION(ChannelExploration, item_is_seen_as_it_was_sent) {
  Channel<sim::Plain<int>*> channel(2);
  sim::Plain<int> item{0};
  together({{"sender",
             [&] {
               item.write(1);
               require(channel.try_send(&item), "there is room");
             }},
            {"receiver", [&] {
               if (const auto received = channel.try_receive())
                 require((*received)->read() == 1, "as it was sent");
             }}});
}
TG_FINDS(ChannelExploration, item_is_seen_as_it_was_sent, channel_item_is_not_published, 200)

// A receiver keeps taking the items for which another one was woken. After a millisecond that one comes first.
TG_EXPLORATION(ChannelExploration, overtaken_receiver_is_not_overtaken_forever) {
  hold_clock();
  Channel<int> channel(1);
  int overtaken = 0;
  bool served = false;
  together({{"patient",
             [&] {
               require(channel.receive().has_value(), "there are enough");
               served = true;
             }},
            {"hasty", [&] {
               for (int i = 0; i < 6; ++i) {
                 if (channel.try_send(int(i)) && channel.try_receive()) ++overtaken;
                 pause();
                 if (served) return;
               }
               send(channel, 7);
             }}});
  require(overtaken <= 3, "it is not overtaken forever");
}
TG_FINDS(ChannelExploration, overtaken_receiver_is_not_overtaken_forever, channel_waiter_is_never_hungry,
         2000)

}  // namespace
}  // namespace channel_exploration
}  // namespace tg::test

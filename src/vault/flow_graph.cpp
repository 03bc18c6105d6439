// SPDX-License-Identifier: Apache-2.0
// The search from both ends.
#include "vault/flow_graph.hpp"

#include <algorithm>

namespace tg::inline v0::detail {

void FlowGraph::add(const AutomaticInfo& function) {
  const std::size_t number = functions_.size();
  functions_.push_back(&function);
  try {
    for (const auto& input : function.inputs) keys_[input.slot].takers.push_back({number, input.required});
  } catch (...) {
    remove(number);
    functions_.pop_back();
    throw;
  }
  for (const std::size_t output : function.outputs) keys_[output].producer = number;
}

void FlowGraph::remove(std::size_t function) noexcept {
  for (const std::size_t output : functions_[function]->outputs) {
    if (keys_[output].producer == function) keys_[output].producer = kNone;
  }
  for (const auto& input : functions_[function]->inputs) {
    std::erase_if(keys_[input.slot].takers,
                  [function](const Taker& taker) { return taker.function == function; });
  }
}

bool FlowGraph::reach(Side& side, std::size_t slot, std::uint64_t other_mark) {
  ++side.steps;
  KeyNode& key = keys_[slot];
  if (key.mark == other_mark) return true;
  if (key.mark == side.mark) return false;
  key.mark = side.mark;
  side.reached.push_back(slot);
  return false;
}

bool FlowGraph::advance_forwards(Side& side, std::uint64_t other_mark) {
  for (const Taker& taker : keys_[side.reached[side.next++]].takers) {
    ++side.steps;
    for (const std::size_t output : functions_[taker.function]->outputs) {
      if (reach(side, output, other_mark)) return true;
    }
  }
  return false;
}

bool FlowGraph::advance_backwards(Side& side, std::uint64_t other_mark) {
  const std::size_t producer = keys_[side.reached[side.next++]].producer;
  ++side.steps;
  if (producer == kNone) return false;
  for (const auto& input : functions_[producer]->inputs) {
    if (reach(side, input.slot, other_mark)) return true;
  }
  return false;
}

bool FlowGraph::would_close_cycle(const AutomaticInfo& added) {
  Side forwards{.mark = ++marks_, .reached = {}};
  Side backwards{.mark = ++marks_, .reached = {}};
  bool met = false;
  for (const std::size_t output : added.outputs) met = reach(forwards, output, backwards.mark) || met;
  for (const auto& input : added.inputs) met = reach(backwards, input.slot, forwards.mark) || met;
  while (!met && !forwards.exhausted() && !backwards.exhausted()) {
    met = forwards.steps <= backwards.steps ? advance_forwards(forwards, backwards.mark)
                                            : advance_backwards(backwards, forwards.mark);
  }
  steps_ += forwards.steps + backwards.steps;
  return met;
}

std::vector<FlowGraph::Hop> FlowGraph::path(std::size_t from, const AutomaticInfo& to) {
  Side side{.mark = ++marks_, .reached = {from}};
  keys_[from].mark = side.mark;
  keys_[from].came_by = {kNone, kNone};
  const auto is_input = [&to](std::size_t slot) {
    return std::any_of(to.inputs.begin(), to.inputs.end(),
                       [slot](const auto& input) { return input.slot == slot; });
  };
  for (; !side.exhausted(); ++side.next) {
    const std::size_t slot = side.reached[side.next];
    if (is_input(slot)) {
      std::vector<Hop> hops{{kNone, from}};
      for (std::size_t at = slot; keys_[at].came_by.function != kNone; at = keys_[at].came_by.slot)
        hops.insert(hops.begin() + 1, {keys_[at].came_by.function, at});
      return hops;
    }
    for (const Taker& taker : keys_[slot].takers) {
      for (const std::size_t output : functions_[taker.function]->outputs) {
        if (keys_[output].mark == side.mark) continue;
        keys_[output].mark = side.mark;
        keys_[output].came_by = {taker.function, slot};
        side.reached.push_back(output);
      }
    }
  }
  return {};
}

}  // namespace tg::inline v0::detail

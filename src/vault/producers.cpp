// SPDX-License-Identifier: Apache-2.0
// Counting calls, and what follows for keys that are waited for.
#include "vault/producers.hpp"

#include <algorithm>
#include <utility>

namespace tg::inline v0::detail {

std::size_t Producers::add(const std::string& name, std::span<const std::size_t> inputs,
                           std::span<const std::size_t> outputs) {
  std::size_t index = 0;
  for (; index < functions_.size(); ++index) {
    const BoundFunction& known = functions_[index];
    if (known.name == name &&
        std::equal(known.inputs.begin(), known.inputs.end(), inputs.begin(), inputs.end()) &&
        std::equal(known.outputs.begin(), known.outputs.end(), outputs.begin(), outputs.end())) {
      break;
    }
  }
  if (index == functions_.size()) {
    functions_.push_back({name, {inputs.begin(), inputs.end()}, {outputs.begin(), outputs.end()}, 0, {}, {}});
    for (const std::size_t output : outputs) functions_of_[output].push_back(index);
  }
  return outputs.empty() ? kNone : index;
}

void Producers::announce(Production& production) noexcept {
  if (production.function_ == kNone || production.state_ != Production::State::unknown) return;
  production.state_ = Production::State::announced;
  ++functions_[production.function_].at_work;
}

bool Producers::end(Production& production, CallEnd how, std::uint64_t revision,
                    std::string* problem) noexcept {
  if (!production.announced()) return false;
  production.state_ = Production::State::ended;
  BoundFunction& function = functions_[production.function_];
  if (function.at_work > 0) --function.at_work;
  if (how == CallEnd::returned) function.failed_at.reset();
  if (how == CallEnd::failed) function.failed_at = revision;
  if (how == CallEnd::failed && problem != nullptr) function.problem.swap(*problem);
  return function.at_work == 0;
}

// What the functions that store a key let hope for, where the same is known of their inputs.
Producers::Hope Producers::look_at_producers(const ValueStore& store, const Dataflow& flow, std::size_t slot,
                                             std::span<const Hope> known) const {
  const std::uint64_t stored_at = store.stored_at_locked(slot);
  const auto ended = [stored_at](const std::optional<std::uint64_t>& failed_at) {
    return failed_at && *failed_at >= stored_at;
  };
  bool hopeless = false;
  for (const std::size_t index : functions_of_[slot]) {
    if (functions_[index].at_work > 0) return Hope::coming;
    hopeless = hopeless || ended(functions_[index].failed_at);
  }
  const std::size_t producer = flow.graph().producer_of(slot);
  if (producer == kNone) return hopeless ? Hope::none : Hope::open;
  const AutomaticProgress& progress = flow.progress(producer);
  if (progress.busy) return Hope::coming;
  const bool can_run = flow.info(producer).can_run();
  hopeless = hopeless || ended(progress.failed_at) || !can_run;
  if (can_run) {
    for (const auto& input : flow.info(producer).inputs) {
      if (known[input.slot] == Hope::coming) return Hope::coming;
      hopeless = hopeless ||
                 (input.required && known[input.slot] == Hope::none && !store.present_locked(input.slot));
    }
  }
  return hopeless ? Hope::none : Hope::open;
}

// Automatics make no cycle, so each key can be looked at after the inputs of its producer; by a loop and not
// by recursion, for chains may be long.
bool Producers::is_hopeless(const ValueStore& store, const Dataflow& flow,
                            std::span<const std::size_t> wanted) const {
  std::vector<Hope> known;
  std::vector<std::size_t> to_explore;
  for (const std::size_t slot : wanted) {
    const bool has_producers = flow.graph().producer_of(slot) != kNone || !functions_of_[slot].empty();
    if (!has_producers || store.present_locked(slot)) continue;
    if (known.empty()) known.resize(store.slots(), Hope::unexplored);
    to_explore.push_back(slot);
    while (!to_explore.empty()) {
      const std::size_t next = to_explore.back();
      const std::size_t before = to_explore.size();
      const std::size_t producer = flow.graph().producer_of(next);
      if (known[next] == Hope::unexplored && producer != kNone) {
        for (const auto& input : flow.info(producer).inputs) {
          if (known[input.slot] == Hope::unexplored) to_explore.push_back(input.slot);
        }
      }
      if (to_explore.size() > before) continue;
      if (known[next] == Hope::unexplored) known[next] = look_at_producers(store, flow, next, known);
      to_explore.pop_back();
    }
    if (known[slot] == Hope::none) return true;
  }
  return false;
}

void Producers::forget_parent(std::uint64_t revision) noexcept {
  for (BoundFunction& function : functions_) {
    if (std::exchange(function.at_work, 0) == 0) continue;
    function.failed_at = revision;
    function.problem.assign("process forked");  // short: needs no memory
  }
}

}  // namespace tg::inline v0::detail

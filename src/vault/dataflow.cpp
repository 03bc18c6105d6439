// SPDX-License-Identifier: Apache-2.0
// Declaring automatics, and taking their inputs.
#include "vault/dataflow.hpp"

#include <algorithm>
#include <utility>

#include <threadgroup/vault_types.hpp>

#include "base/planted.hpp"
#include "vault/texts.hpp"

namespace tg::inline v0::detail {

std::list<std::vector<ValueRef>> AutomaticProgress::end_unrun(State why, std::uint64_t revision) noexcept {
  state = why;
  busy = false;
  failed_at = revision;
  return std::exchange(waiting, {});
}

// --- Declaring

namespace {

std::string names_of(const ValueStore& store, const std::vector<AutomaticInfo::Input>& inputs) {
  std::string text;
  for (const auto& input : inputs) text += (text.empty() ? "" : ", ") + store.key_name(input.slot);
  return text;
}

[[noreturn]] void throw_cycle(const ValueStore& store, const AutomaticInfo& added,
                              const std::vector<FlowGraph::Hop>& path,
                              const std::vector<std::unique_ptr<AutomaticInfo>>& automatics) {
  const std::string& key = store.key_name(path.front().slot);
  std::string text = "vault '" + store.vault_name() + "': automatic " + quoted(added.name) +
                     " would close a cycle: " + store.key_name(path.back().slot) + " -> " +
                     quoted(added.name);
  for (const FlowGraph::Hop& hop : path) {
    if (hop.function != kNone) text += " -> " + quoted(automatics[hop.function]->name);
    text += " -> " + store.key_name(hop.slot);
  }
  throw DeclarationError(key, text);
}

}  // namespace

void Dataflow::check(const ValueStore& store, const AutomaticInfo& added) {
  for (std::size_t i = 0; i < added.outputs.size(); ++i) {
    const std::size_t output = added.outputs[i];
    const std::string& key = store.key_name(output);
    const auto begin = added.outputs.begin();
    const auto here = begin + static_cast<std::ptrdiff_t>(i);
    if (std::find(begin, here, output) != here) {
      throw DeclarationError(key,
                             "automatic " + quoted(added.name) + ": key '" + key + "' is an output twice");
    }
    const std::size_t producer = graph_.producer_of(output);
    if (producer != kNone && !automatics_[producer]->runner->lost()) {
      const AutomaticInfo& other = *automatics_[producer];
      throw DeclarationError(key, "vault '" + store.vault_name() + "': key '" + key +
                                      "' would have two producers: " + names_of(store, other.inputs) +
                                      " -> " + quoted(other.name) + " -> " + key + " <- " +
                                      quoted(added.name) + " <- " + names_of(store, added.inputs));
    }
  }
  if (!graph_.would_close_cycle(added)) return;
  for (const std::size_t output : added.outputs) {
    const std::vector<FlowGraph::Hop> path = graph_.path(output, added);
    if (!path.empty()) throw_cycle(store, added, path, automatics_);
  }
}

void Dataflow::retire(std::size_t index) noexcept {
  automatics_[index]->retired = true;
  graph_.remove(index);
  for (auto at = without_outputs_.begin(); at != without_outputs_.end(); ++at) {
    if (at->second != index) continue;
    without_outputs_.erase(at);
    return;
  }
}

// An automatic that lost its group can never run again: one that is declared like it takes its place.
std::vector<std::size_t> Dataflow::find_lost(const AutomaticInfo& added) const {
  std::vector<std::size_t> lost;
  for (const std::size_t output : added.outputs) {
    const std::size_t producer = graph_.producer_of(output);
    if (producer != kNone && automatics_[producer]->runner->lost()) lost.push_back(producer);
  }
  const auto [first, last] = without_outputs_.equal_range(added.name);
  for (auto at = first; at != last; ++at) {
    const AutomaticInfo& old = *automatics_[at->second];
    const bool same_inputs =
        std::equal(old.inputs.begin(), old.inputs.end(), added.inputs.begin(), added.inputs.end(),
                   [](const auto& a, const auto& b) { return a.slot == b.slot; });
    if (same_inputs && old.runner->lost()) lost.push_back(at->second);
  }
  return lost;
}

std::size_t Dataflow::add(std::unique_ptr<AutomaticInfo>&& info) {
  const std::size_t index = automatics_.size();
  // What needs memory comes first, and leaves no trace if there is none.
  const std::vector<std::size_t> lost = find_lost(*info);
  if (progress_.size() == index) progress_.emplace_back();
  make_room(progress_[index], *info);
  if (automatics_.capacity() == index) automatics_.reserve(2 * index + 1);
  auto by_name = without_outputs_.end();
  if (info->outputs.empty()) by_name = without_outputs_.emplace(info->name, index);
  try {
    graph_.add(*info);
  } catch (...) {
    if (by_name != without_outputs_.end()) without_outputs_.erase(by_name);
    throw;
  }
  automatics_.push_back(std::move(info));
  for (const std::size_t old : lost) retire(old);
  return index;
}

bool Dataflow::undo_add(std::size_t index, std::list<std::vector<ValueRef>>& waiting) noexcept {
  AutomaticProgress& progress = progress_[index];
  if (progress.busy) return false;
  waiting.swap(progress.waiting);
  progress.state = AutomaticProgress::State::not_started;
  retire(index);
  return true;
}

// --- Sets of inputs

void Dataflow::find_touched(std::span<const Change> changes, std::vector<std::size_t>& touched) {
  if (automatics_.empty()) return;
  ++touch_;
  for (const Change& change : changes) {
    if (!change.value) continue;
    for (const FlowGraph::Taker& taker : graph_.takers_of(change.slot)) {
      if (taker.required && std::exchange(progress_[taker.function].touched, touch_) != touch_)
        touched.push_back(taker.function);
    }
  }
}

bool Dataflow::is_complete(const ValueStore& store, std::size_t index) const noexcept {
  for (const auto& input : automatics_[index]->inputs) {
    if (input.required && !store.present_locked(input.slot)) return false;
  }
  return true;
}

void Dataflow::make_room(AutomaticProgress& progress, const AutomaticInfo& info) {
  if (progress.room.empty()) progress.room.emplace_back();
  progress.room.front().reserve(info.inputs.size());
}

bool Dataflow::take_set(const ValueStore& store, std::size_t index) noexcept {
  const AutomaticInfo& info = *automatics_[index];
  AutomaticProgress& progress = progress_[index];
  if (!std::exchange(progress.had_a_set, true) && !info.outputs.empty() &&
      store.find_missing_locked(info.outputs) == kNone) {
    progress.state = AutomaticProgress::State::kept;
    return false;
  }
  std::vector<ValueRef>& set = progress.room.front();
  for (const auto& input : info.inputs) set.push_back(store.current_locked(input.slot));
  progress.waiting.splice(progress.waiting.end(), progress.room);
  return true;
}

bool Dataflow::claim_launch(std::size_t index) noexcept {
  AutomaticProgress& progress = progress_[index];
  if (progress.busy && !TG_PLANTED(flow_automatic_runs_beside_itself)) return false;
  progress.busy = true;
  progress.state = AutomaticProgress::State::pending;
  return true;
}

void Dataflow::forget_parent(std::uint64_t revision) noexcept {
  for (AutomaticProgress& progress : progress_) {
    if (!std::exchange(progress.busy, false)) continue;
    progress.state = AutomaticProgress::State::skipped;
    progress.failed_at = revision;
    progress.launching = nullptr;
  }
}

}  // namespace tg::inline v0::detail

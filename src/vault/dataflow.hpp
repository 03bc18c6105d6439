// SPDX-License-Identifier: Apache-2.0
// The automatics of a vault: what they need, and what they are doing.
//
// Invariants
//   K2. A complete set of inputs is taken when it becomes complete, in the same critical section as the
//       insert that completed it: once, whatever else is inserted at the same time. The values of the set are
//       what the run gets.
//   K3. Runs of one automatic follow each other. `busy` is true from when one is to be handed to the group
//       until it is over and no set is waiting; only the step that changed it to true, or the run before,
//       hands over the next. A set stays in `waiting` until its run begins, so one that cannot be started is
//       not lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <threadgroup/detail/vault/automatic_info.hpp>
#include <threadgroup/detail/vault/store.hpp>

#include "vault/flow_graph.hpp"

namespace tg::inline v0::detail {

/// What an automatic is doing.
struct AutomaticProgress {
  enum class State { waiting, pending, running, done, failed, declined, skipped, not_started, kept };
  State state = State::waiting;
  bool busy = false;       // K3
  bool had_a_set = false;  // the first complete set has come
  std::uint64_t runs = 0;  // of the function, whatever came of them
  std::uint64_t touched = 0;
  std::optional<std::uint64_t> failed_at;  // the vault's revision when its last set was not run to its end
  std::string problem;
  std::list<std::vector<ValueRef>> waiting;  // not a deque, which takes memory also when it is empty
  std::list<std::vector<ValueRef>> room;     // at most one: for the next set
  // The call of `Runs::launch` that hands over a run which has not begun, for as long as it may still fail.
  const void* launching = nullptr;
  bool dropped_at_launch = false;

  /// The sets that wait will not be run; they are given back, to be destroyed without the lock.
  std::list<std::vector<ValueRef>> end_unrun(State why, std::uint64_t revision) noexcept;
};

/// Declared automatics, their inputs and outputs, and what each is doing.
///
/// It only keeps the books: it starts no run and calls no function.
/// Thread safety: the vault's lock, which is the store's, guards everything.
class Dataflow {
 public:
  explicit Dataflow(std::size_t slots) : graph_(slots) {}

  // --- Declaring
  /// Throws `DeclarationError` for a cycle, an output named twice, and a key with a producer that can run.
  void check(const ValueStore& store, const AutomaticInfo& added);
  /// Requires: it has been checked. One that lost its group and is declared like it is retired. Returns its
  /// number; there is room for its first set. Without memory it throws, changes nothing and leaves `info` as
  /// it is.
  std::size_t add(std::unique_ptr<AutomaticInfo>&& info);
  /// Takes back the declaration of one that is not busy. False if it is busy. What waited is given back, to
  /// be destroyed without the lock.
  bool undo_add(std::size_t index, std::list<std::vector<ValueRef>>& waiting) noexcept;

  std::size_t size() const noexcept { return automatics_.size(); }
  AutomaticInfo& info(std::size_t index) noexcept { return *automatics_[index]; }
  const AutomaticInfo& info(std::size_t index) const noexcept { return *automatics_[index]; }
  AutomaticProgress& progress(std::size_t index) noexcept { return progress_[index]; }
  const AutomaticProgress& progress(std::size_t index) const noexcept { return progress_[index]; }
  const FlowGraph& graph() const noexcept { return graph_; }

  // --- Sets of inputs
  /// Adds the automatics that need one of the values that the changes put in, each once.
  void find_touched(std::span<const Change> changes, std::vector<std::size_t>& touched);
  bool is_complete(const ValueStore& store, std::size_t index) const noexcept TG_REQUIRES(store.mutex());
  /// Makes room for the next set, before the step that completes it: once that is made, it must be taken.
  void make_room(std::size_t index) { make_room(progress_[index], *automatics_[index]); }
  /// Takes the set that is complete (K2). False if it counts as done: what was there before the first set
  /// came, from an earlier life of the program for instance, is kept. Requires: there is room.
  bool take_set(const ValueStore& store, std::size_t index) noexcept TG_REQUIRES(store.mutex());
  /// True if the caller is to hand over the next run (K3).
  bool claim_launch(std::size_t index) noexcept;

  /// In a forked child: what was at work is the parent's.
  void forget_parent(std::uint64_t revision) noexcept;

 private:
  static void make_room(AutomaticProgress& progress, const AutomaticInfo& info);
  std::vector<std::size_t> find_lost(const AutomaticInfo& added) const;
  void retire(std::size_t index) noexcept;

  std::vector<std::unique_ptr<AutomaticInfo>> automatics_;  // grows only
  std::deque<AutomaticProgress> progress_;
  FlowGraph graph_;
  std::multimap<std::string, std::size_t> without_outputs_;  // by name
  std::uint64_t touch_ = 0;
};

}  // namespace tg::inline v0::detail

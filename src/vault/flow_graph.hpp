// SPDX-License-Identifier: Apache-2.0
// Which automatics take and store which keys, and whether one more would close a cycle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <threadgroup/detail/vault/automatic_info.hpp>
#include <threadgroup/detail/vault/store.hpp>

namespace tg::inline v0::detail {

/// The graph of the automatics of a vault: from keys to the functions that take them, and on to the keys that
/// these store. It has no cycle.
///
/// A new function closes a cycle if a way leads from one of its outputs to one of its inputs. The search goes
/// forwards from the outputs and backwards from the inputs, always on the side that has looked at fewer edges
/// so far, and ends as soon as one side has seen all that it can reach. So it costs no more than twice the
/// smaller side: nothing for a function at either end of what is there, and for N functions that are declared
/// in any order and make a chain, some N log N steps together.
///
/// Thread safety: the vault's lock guards everything.
class FlowGraph {
 public:
  struct Taker {
    std::size_t function;
    bool required;
  };

  explicit FlowGraph(std::size_t slots) : keys_(slots) {}

  /// Functions are numbered in the order in which they are added. They live as long as the graph. Without
  /// memory it throws and changes nothing.
  void add(const AutomaticInfo& function);
  void remove(std::size_t function) noexcept;

  /// The function that stores the key, or `kNone`.
  std::size_t producer_of(std::size_t slot) const noexcept { return keys_[slot].producer; }
  /// In the order of their numbers.
  const std::vector<Taker>& takers_of(std::size_t slot) const noexcept { return keys_[slot].takers; }

  bool would_close_cycle(const AutomaticInfo& added);
  /// A shortest way from the key to an input of the function.
  struct Hop {
    std::size_t function;
    std::size_t slot;  // that it stores
  };
  std::vector<Hop> path(std::size_t from, const AutomaticInfo& to);

  /// How many edges all searches have looked at so far.
  std::uint64_t steps() const noexcept { return steps_; }

 private:
  struct KeyNode {
    std::size_t producer = kNone;
    std::vector<Taker> takers;
    std::uint64_t mark = 0;     // the search, and its side, that came here last
    Hop came_by{kNone, kNone};  // in `path`: the function, and the key before it
  };
  // What one direction of a search has reached.
  struct Side {
    std::uint64_t mark = 0;
    std::vector<std::size_t> reached;
    std::size_t next = 0;  // of those reached, the first whose edges have not been looked at
    std::uint64_t steps = 0;
    bool exhausted() const noexcept { return next == reached.size(); }
  };
  // True if the other side has been there.
  bool reach(Side& side, std::size_t slot, std::uint64_t other_mark);
  bool advance_forwards(Side& side, std::uint64_t other_mark);
  bool advance_backwards(Side& side, std::uint64_t other_mark);

  std::vector<KeyNode> keys_;
  std::vector<const AutomaticInfo*> functions_;
  std::uint64_t marks_ = 0;
  std::uint64_t steps_ = 0;
};

}  // namespace tg::inline v0::detail

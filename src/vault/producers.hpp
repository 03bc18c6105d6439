// SPDX-License-Identifier: Apache-2.0
// Which functions may still store a key that is missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <threadgroup/detail/vault/production.hpp>
#include <threadgroup/detail/vault/store.hpp>

#include "vault/dataflow.hpp"

namespace tg::inline v0::detail {

/// A function that was bound to keys of the vault, and what became of its calls.
struct BoundFunction {
  std::string name;
  std::vector<std::size_t> inputs;
  std::vector<std::size_t> outputs;
  std::size_t at_work = 0;                 // calls that are under way, or known to come
  std::optional<std::uint64_t> failed_at;  // the revision when the last call that ended failed
  std::string problem;
};

/// Bound functions and their calls, and what these and the automatics let hope for.
///
/// Thread safety: the vault's lock, which is the store's, guards everything.
class Producers {
 public:
  explicit Producers(std::size_t slots) : functions_of_(slots) {}

  /// Its number, or `kNone` if it has no outputs. Bound again and again, it is one function.
  std::size_t add(const std::string& name, std::span<const std::size_t> inputs,
                  std::span<const std::size_t> outputs);
  const std::vector<BoundFunction>& functions() const noexcept { return functions_; }
  /// Those that store the key when they are called.
  const std::vector<std::size_t>& functions_of(std::size_t slot) const noexcept {
    return functions_of_[slot];
  }

  void announce(Production& production) noexcept;
  /// True if no other call of the function is known: then waits have to look again. `problem`: why it failed.
  bool end(Production& production, CallEnd how, std::uint64_t revision,
           std::string* problem = nullptr) noexcept;

  /// Whether one of the keys is missing and will stay so, as far as is known.
  bool is_hopeless(const ValueStore& store, const Dataflow& flow, std::span<const std::size_t> wanted) const
      TG_REQUIRES(store.mutex());

  /// In a forked child: the calls that were at work are the parent's.
  void forget_parent(std::uint64_t revision) noexcept;

 private:
  // What is known of a key that may be missing.
  enum class Hope : std::uint8_t {
    unexplored,
    open,    // nothing
    coming,  // a function may store it that is at work, or that runs once such a one has stored its inputs
    none,    // no known function will store it, and one failed or was stopped
  };
  Hope look_at_producers(const ValueStore& store, const Dataflow& flow, std::size_t slot,
                         std::span<const Hope> known) const TG_REQUIRES(store.mutex());

  std::vector<BoundFunction> functions_;
  std::vector<std::vector<std::size_t>> functions_of_;  // by slot
};

}  // namespace tg::inline v0::detail

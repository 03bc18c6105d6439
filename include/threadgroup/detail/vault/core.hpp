// SPDX-License-Identifier: Apache-2.0
// The core of a vault, without the types of its values: the steps through its parts. src/vault/README.md has a drawing.
//
// Invariants (K1 and K5 are in detail/vault/store.hpp, K2 and K3 in src/vault/dataflow.hpp)
//   K4. No code of the user runs under the lock: values are made and destroyed outside, and runners and sinks
//       are called outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/vault/automatic_info.hpp>
#include <threadgroup/detail/vault/production.hpp>
#include <threadgroup/detail/vault/sink.hpp>
#include <threadgroup/detail/vault/store.hpp>
#include <threadgroup/detail/vault/value.hpp>
#include <threadgroup/detail/vault/value_cell.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/vault_keyring.hpp>
#include <threadgroup/vault_types.hpp>

namespace tg::inline v0::detail {

struct VaultParts;

struct CommitOptions {
  bool permit_modification = false;
  std::size_t by = kNone;            // the automatic that stores its outputs
  bool from_resource = false;        // true if the source of a read-only key makes the change
  Production* production = nullptr;  // the call that ends with this step
  bool* stored = nullptr;            // set to true when the changes are made, even if the call throws later
};

/// The core of a vault: it runs steps, waits and declarations through the store and the other parts.
///
/// Thread safety: everything from any thread.
/// Lifetime: shared by the vault, what is bound to it, and runs.
class TG_EXPORT VaultCore : public std::enable_shared_from_this<VaultCore> {
 public:
  VaultCore(std::string name, const KeyList& keys, VaultOptions options);
  VaultCore(const VaultCore&) = delete;
  VaultCore& operator=(const VaultCore&) = delete;
  ~VaultCore();

  const std::string& name() const noexcept { return store_.vault_name(); }

  // --- Keys and values: see `ValueStore`
  std::size_t slots() const noexcept { return store_.slots(); }
  const KeyInfo& info(std::size_t slot) const noexcept { return store_.info(slot); }
  std::size_t find(const KeyInfo& key) const { return store_.find(key); }
  std::size_t find_name(const std::string& name) const noexcept { return store_.find_name(name); }
  template <class T>
  PinnedValue pin(std::size_t slot) const noexcept {
    return store_.pin<T>(slot);
  }
  template <class T>
  std::optional<T> short_copy(std::size_t slot) const noexcept {
    return store_.short_copy<T>(slot);
  }
  bool contains(std::size_t slot) const noexcept { return store_.contains(slot); }
  std::vector<ValueRef> all_values() const { return store_.all_values(); }
  std::size_t size() const { return store_.size(); }
  /// The value of one key of any type; empty if there is none.
  ValueRef value(std::size_t slot) const noexcept;
  /// The values of several keys at one moment.
  std::vector<ValueRef> values(std::span<const std::size_t> slots) const;
  /// The same for a call of a bound function that begins.
  std::vector<ValueRef> take_inputs(std::span<const std::size_t> slots, Production& production);

  // --- Steps and waits
  /// Makes all changes in one step, or throws and makes none. Runs whose inputs the step completes are added
  /// to their groups. Also throws if the values are in the vault but cannot be kept elsewhere, or if a run
  /// cannot be started.
  void commit(std::span<Change> changes, const CommitOptions& options);
  /// Removes the values of the keys in one step. True if any key held a value.
  bool erase(std::span<const std::size_t> slots);
  KeyWait wait_for(std::span<const std::size_t> slots, Duration timeout) const;
  [[noreturn]] void throw_missing(std::span<const std::size_t> slots) const;
  /// Makes the waits for keys, if there are any, check their keys again.
  TG_LOCAL void tell_waiters() noexcept;

  // --- Functions
  /// Returns the function's number, for `Production`; `kNone` if it has no outputs.
  std::size_t add_bound_function(const std::string& name, std::span<const std::size_t> inputs,
                                 std::span<const std::size_t> outputs);
  /// Returns the automatic's number. Declares nothing if it throws, unless removing the outputs that it
  /// cleans cannot be kept elsewhere.
  std::size_t add_automatic(std::unique_ptr<AutomaticInfo> info);
  TG_LOCAL const AutomaticInfo& automatic(std::size_t index) const;
  std::uint64_t runs(std::size_t index) const;
  std::string explain_one(std::size_t index) const;
  std::string explain() const;
  std::string dot() const;

  // --- Keeping it elsewhere
  /// From now on every change is encoded and kept. One at a time.
  void attach(std::shared_ptr<VaultSink> sink);
  void detach(const VaultSink& sink) noexcept;
  EncodedVault encoded() const;
  /// These keys are filled from `source` alone; an empty text lifts that.
  void set_source(std::span<const std::size_t> slots, const std::string& source) {
    store_.set_source(slots, source);
  }
  std::uint64_t revision() const;

 private:
  friend class LiveVaults;
  friend class Production;
  friend class Run;
  friend class Runs;
  // What remains to be done after a step, without the lock.
  struct Aftermath;

  TG_LOCAL void apply_locked(std::span<Change> changes, const CommitOptions& options, Aftermath& after)
      TG_REQUIRES(store_.mutex());
  TG_LOCAL void take_set_locked(std::size_t automatic, Aftermath& after) noexcept TG_REQUIRES(store_.mutex());
  TG_LOCAL bool undo_automatic(std::size_t automatic) noexcept;
  TG_LOCAL void finish(Aftermath& after);

  TG_LOCAL void announce(Production& production) noexcept;
  TG_LOCAL void end(Production& production, CallEnd how, std::string problem) noexcept;
  /// For a forked child: the threads that waited and the tasks that ran are the parent's.
  TG_LOCAL void forget_parent_locked() noexcept TG_REQUIRES(store_.mutex());

  const VaultOptions options_;
  ValueStore store_;
  const std::unique_ptr<VaultParts> parts_ TG_PT_GUARDED_BY(store_.mutex());

  // The list of all vaults; guarded by its lock.
  VaultCore* next_live_ = nullptr;
  VaultCore* previous_live_ = nullptr;
};

}  // namespace tg::inline v0::detail

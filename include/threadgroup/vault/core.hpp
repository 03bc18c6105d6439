// SPDX-License-Identifier: Apache-2.0
// What stands behind a vault, without the types of its values.
//
// Invariants
//   K1. Cells are written under the lock and read without it. A step that changes several keys makes
//       `sequence_` odd while it is at work; a reader that finds it odd or changed reads again under the
//       lock. So nobody sees half a step, and whoever has seen a part of it sees all of it from then on.
//   K2. A complete set of inputs is taken when it becomes complete, in the same critical section as the
//       insert that completed it: once, whoever else inserts at the same time. The values of the set are what
//       the run gets.
//   K3. Runs of one automatic follow each other. `busy` is true from when one is to be handed to the group
//       until it is over and no set is waiting; only the step that changed it to true, or the run before,
//       hands over the next. A set stays in `waiting` until its run begins, so one that cannot be started is
//       not lost.
//   K4. No code of the user runs under the lock: values come in ready-made and are destroyed outside,
//       runners and sinks are called outside.
//   K5. A short value is read from its copy, and else under the lock, and never pinned. The copy is busy from
//       before the change of the cell until after it: nobody reads an old copy who has seen the new value.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/base/mutex.hpp>
#include <threadgroup/base/unique_function.hpp>
#include <threadgroup/event/wait_queue.hpp>
#include <threadgroup/vault/keyring.hpp>
#include <threadgroup/vault/runner.hpp>
#include <threadgroup/vault/short_copy.hpp>
#include <threadgroup/vault/sink.hpp>
#include <threadgroup/vault/value.hpp>

namespace tg {

struct VaultOptions {
  bool permit_modification = false;  ///< inserting replaces a value that is there, instead of throwing
};

/// What became of a wait for a key.
enum class [[nodiscard]] KeyWait{
    present,          ///< the key holds a value
    event_set,        ///< the caller's group was stopped first
    timed_out,        ///< the time was up first
    producer_failed,  ///< no known function will store it any more, and one failed, was stopped or skipped
};
const char* to_string(KeyWait outcome) noexcept;

/// A key and its value, for people.
struct VaultEntry {
  std::string name;
  std::string value;
};

namespace detail {

class VaultCore;

inline constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

/// One call of a bound function: from when it is known to come, as a task for instance, until it has ended.
/// The vault counts these calls, so that it knows when no more will come that could store a key.
///
/// Thread safety: none. Lifetime: the vault's core outlives it.
class Production {
 public:
  /// Without a function (`kNobody`) nothing is counted.
  Production(VaultCore& core, std::size_t function) noexcept : core_(core), function_(function) {}
  Production(Production&& other) noexcept
      : core_(other.core_), function_(other.function_), state_(std::exchange(other.state_, State::ended)) {}
  Production& operator=(Production&&) = delete;
  /// A call that was to come and did not, counts as failed.
  ~Production();

  /// It will come. Taking the inputs implies it.
  void announce() noexcept;
  /// It has returned.
  void end() noexcept;
  void fail(const std::exception_ptr& error) noexcept;
  /// It neither returned nor failed; another one may have.
  void withdraw() noexcept;

 private:
  friend class VaultCore;
  enum class State : std::uint8_t { unknown, announced, ended };
  bool announced() const noexcept { return function_ != kNobody && state_ == State::announced; }

  VaultCore& core_;
  const std::size_t function_;
  State state_ = State::unknown;
};

/// Ends a call with the scope, unless it has failed.
class EndOfProduction {
 public:
  explicit EndOfProduction(Production& production) noexcept : production_(production) {}
  EndOfProduction(const EndOfProduction&) = delete;
  EndOfProduction& operator=(const EndOfProduction&) = delete;
  ~EndOfProduction() { production_.end(); }

 private:
  Production& production_;
};

/// What a run of an automatic came to, if it did not fail.
enum class RunOutcome { stored, condition_was_false };

/// Has the waits for keys look again.
struct TellWaiters {
  VaultCore* core;
  void operator()() const noexcept;
};

/// The part of an automatic that does not change.
struct AutomaticInfo {
  struct Input {
    std::size_t slot;
    bool required;
  };
  std::string name;
  std::vector<Input> inputs;
  std::vector<std::size_t> outputs;
  bool clean_outputs = false;
  /// Calls the function with these inputs and stores what it returns. Runs follow each other (K3).
  UniqueFunction<RunOutcome(VaultCore&, std::size_t, std::vector<ValueRef>&)> call;
  std::unique_ptr<Runner> runner;
  // Once the group is stopped, the automatic cannot run any more.
  std::stop_token stop_token;
  std::unique_ptr<std::stop_callback<TellWaiters>> on_stop;
  bool retired = false;  // another one took its place; guarded by the vault's lock
};

/// What an automatic is doing. Guarded by the vault's lock.
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
  // The call of `launch` that hands over a run which has not begun, for as long as it may still fail.
  const void* launching = nullptr;
  bool dropped_at_launch = false;
};

/// One key's part in a step: a value to put in, or none to take out. Afterwards it holds what was there
/// before.
struct Change {
  std::size_t slot = 0;
  ValueRef value;
  EncodedValue encoded;
};

struct CommitOptions {
  bool permit_modification = false;
  std::size_t by = kNobody;          // the automatic that stores its outputs
  bool from_resource = false;        // what a read-only key is filled from
  Production* production = nullptr;  // the call that ends with this step
  bool* stored = nullptr;            // becomes true once the changes are made, also if the call throws then
};

/// Keys, values, automatics.
///
/// Thread safety: everything from any thread. Lifetime: shared by the vault, what is bound to it, and runs.
class VaultCore : public std::enable_shared_from_this<VaultCore> {
 public:
  VaultCore(std::string name, const KeyList& keys, VaultOptions options);
  VaultCore(const VaultCore&) = delete;
  VaultCore& operator=(const VaultCore&) = delete;
  ~VaultCore();

  const std::string& name() const noexcept { return name_; }
  std::size_t slots() const noexcept { return infos_.size(); }
  const KeyInfo& info(std::size_t slot) const noexcept { return *infos_[slot]; }
  /// Where the key stands. Throws `UnknownKeyError`, or `KeyTypeError` for a key of the same name and another
  /// type.
  std::size_t find(const KeyInfo& key) const;
  /// Where a key of this name stands, or `kNobody`.
  std::size_t find_name(const std::string& name) const noexcept;

  /// The value of one key; empty if there is none.
  template <class T>
  PinnedValue pin(std::size_t slot) const noexcept {
    if constexpr (ShortCopy::kFits<T>) return pin_slowly(slot);  // K5
    const std::uint64_t before = sequence_.load(std::memory_order_acquire);
    if ((before & 1) == 0) [[likely]] {
      PinnedValue value = cells_[slot].value.pin();
      if (sequence_.load(std::memory_order_acquire) == before) [[likely]]
        return value;
    }
    return pin_slowly(slot);
  }
  /// The value of one key of a short type, without a write to shared memory. If this finds none, `pin` may.
  template <class T>
  std::optional<T> short_copy(std::size_t slot) const noexcept {
    const std::uint64_t before = sequence_.load(std::memory_order_acquire);
    if ((before & 1) != 0) return std::nullopt;
    std::optional<T> value = cells_[slot].copy.template read<T>();
    if (sequence_.load(std::memory_order_acquire) != before) return std::nullopt;
    return value;
  }
  bool contains(std::size_t slot) const noexcept {
    const std::uint64_t before = sequence_.load(std::memory_order_acquire);
    if ((before & 1) == 0) {
      const bool present = cells_[slot].value.present();
      if (sequence_.load(std::memory_order_acquire) == before) return present;
    }
    MutexLock lock(mutex_);
    return present_locked(slot);
  }
  /// The values of several keys at one moment.
  std::vector<ValueRef> values(std::span<const std::size_t> slots) const;
  /// The same for a call that begins.
  std::vector<ValueRef> take_inputs(std::span<const std::size_t> slots, Production& production);
  std::vector<ValueRef> all_values() const;
  std::size_t size() const;

  /// Makes all changes in one step, or throws and makes none. What the step completes is handed to its group.
  /// Throws as well if the values are in the vault and cannot be kept elsewhere, or a run cannot be started.
  void commit(std::span<Change> changes, const CommitOptions& options);
  /// Takes the keys out in one step. True if any was there.
  bool erase(std::span<const std::size_t> slots);
  KeyWait wait_for(std::span<const std::size_t> slots, TimePoint deadline) const;

  [[noreturn]] void throw_missing(std::span<const std::size_t> slots) const;
  /// Its number, for `Production`; or `kNobody` if it has no outputs.
  std::size_t add_bound_function(const std::string& name, std::span<const std::size_t> inputs,
                                 std::span<const std::size_t> outputs);

  std::size_t add_automatic(std::unique_ptr<AutomaticInfo> info);
  const AutomaticInfo& automatic(std::size_t index) const;
  std::uint64_t runs(std::size_t index) const;
  std::string explain_one(std::size_t index) const;
  std::string explain() const;
  std::string dot() const;

  /// Has the waits for keys look again, if there are any.
  void tell_waiters() noexcept;

  /// For the run of an automatic.
  void run(std::size_t index);
  void run_was_dropped(std::size_t index) noexcept;

  /// From now on every change is encoded and kept. One at a time.
  void attach(std::shared_ptr<VaultSink> sink);
  void detach(const VaultSink& sink) noexcept;
  EncodedVault encoded() const;
  /// These keys are filled from `source` alone; an empty text lifts that.
  void set_source(std::span<const std::size_t> slots, const std::string& source);
  std::uint64_t revision() const;

 private:
  struct Cell {
    alignas(64) mutable ValueCell value;
    mutable WaitQueue waiters;
    ShortCopy copy;

    ValueRef exchange(ValueRef added, bool is_short) noexcept {
      if (!is_short) return value.exchange(std::move(added));
      const bool present = static_cast<bool>(added);
      copy.begin();
      if (present) added.get()->copy_to(copy);
      ValueRef taken = value.exchange_unpinned(std::move(added));
      copy.end(present);
      return taken;
    }
  };
  struct State {
    std::size_t stored_by = kNobody;  // the automatic whose output stands here
    EncodedValue encoded;
    std::string source;  // not empty: read-only, filled from there
    std::size_t producer = kNobody;
    std::vector<std::size_t> consumers;  // automatics that need it
    std::vector<std::size_t> functions;  // bound ones, known to store it when they are called
    std::uint64_t stored_at = 0;         // the revision that stored the latest value
  };
  struct BoundFunction {
    std::string name;
    std::vector<std::size_t> inputs;
    std::vector<std::size_t> outputs;
    std::size_t at_work = 0;                 // calls that are under way, or known to come
    std::optional<std::uint64_t> failed_at;  // the revision when the last call that ended failed
    std::string problem;
  };
  // What is known of a key that may be missing.
  enum class Hope : std::uint8_t {
    unexplored,
    open,    // nothing
    coming,  // a function may store it that is at work, or that runs once such a one has stored its inputs
    none,    // no known function will store it, and one failed or was stopped
  };
  // What a step leaves to be done without the lock.
  struct Aftermath {
    std::vector<std::size_t> launches;
    std::vector<ValueRef> garbage;
    std::exception_ptr error;
    bool tell_waiters = false;
  };

  friend class Production;
  friend class LiveVaults;

  PinnedValue pin_slowly(std::size_t slot) const noexcept;
  bool present_locked(std::size_t slot) const noexcept TG_REQUIRES(mutex_) {
    return cells_[slot].value.present();
  }
  void check_locked(std::span<const Change> changes, const CommitOptions& options) const TG_REQUIRES(mutex_);
  void apply_locked(std::span<Change> changes, const CommitOptions& options, Aftermath& after)
      TG_REQUIRES(mutex_);
  void take_out_locked(std::size_t slot, Aftermath& after) TG_REQUIRES(mutex_);
  bool complete_locked(std::size_t index) const TG_REQUIRES(mutex_);
  void take_set_locked(std::size_t index, Aftermath& after) TG_REQUIRES(mutex_);
  void finish_step(Aftermath& after, const std::shared_ptr<VaultSink>& sink, std::uint64_t revision);
  std::exception_ptr launch(std::size_t index) noexcept;
  std::exception_ptr group_is_gone(const AutomaticInfo& info) const noexcept;
  void retire_lost_locked(const AutomaticInfo& added) TG_REQUIRES(mutex_);
  std::list<std::vector<ValueRef>> end_unrun_locked(std::size_t index,
                                                    AutomaticProgress::State state) noexcept
      TG_REQUIRES(mutex_);
  void launch_all(Aftermath& after) noexcept;
  std::exception_ptr end_run(std::size_t index, AutomaticProgress::State state, std::string problem) noexcept;
  void forget_outputs(std::size_t index) noexcept;

  enum class Ended { returned, failed, withdrawn };
  void announce_locked(Production& production) noexcept TG_REQUIRES(mutex_);
  bool end_locked(Production& production, Ended how) noexcept TG_REQUIRES(mutex_);
  void end(Production& production, Ended how, std::string problem) noexcept;
  std::size_t find_missing_locked(std::span<const std::size_t> slots) const noexcept TG_REQUIRES(mutex_);
  bool is_hopeless_locked(std::span<const std::size_t> slots) const TG_REQUIRES(mutex_);
  Hope look_at_producers_locked(std::size_t slot, std::span<const Hope> known) const TG_REQUIRES(mutex_);
  bool can_run_locked(std::size_t automatic) const noexcept TG_REQUIRES(mutex_);
  void release_waiters() const noexcept;
  /// In a forked child: the threads that waited and the tasks that were at work are the parent's.
  void forget_parent_locked() noexcept TG_REQUIRES(mutex_);

  void check_declaration_locked(const AutomaticInfo& added) const TG_REQUIRES(mutex_);
  std::string find_path_locked(std::size_t from, std::span<const std::size_t> to) const TG_REQUIRES(mutex_);
  std::string producers_of_locked(std::size_t slot) const TG_REQUIRES(mutex_);
  std::string explain_locked(std::size_t index) const TG_REQUIRES(mutex_);
  std::string explain_missing_locked(std::size_t slot) const TG_REQUIRES(mutex_);

  // Constant after construction.
  const std::string name_;
  const VaultOptions options_;
  std::vector<std::shared_ptr<const KeyInfo>> infos_;
  std::vector<std::uint32_t> table_;  // open addressing: slot + 1, or 0
  std::uint64_t table_mask_ = 0;
  std::unique_ptr<Cell[]> cells_;

  std::atomic<std::uint64_t> sequence_{0};  // written under the lock; atomic for K1

  mutable Mutex mutex_;
  std::vector<State> states_ TG_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<AutomaticInfo>> automatics_ TG_GUARDED_BY(mutex_);  // grows only
  std::deque<AutomaticProgress> progress_ TG_GUARDED_BY(mutex_);
  std::vector<BoundFunction> bound_ TG_GUARDED_BY(mutex_);
  mutable std::size_t waits_ TG_GUARDED_BY(mutex_) = 0;  // for keys, right now
  std::shared_ptr<VaultSink> sink_ TG_GUARDED_BY(mutex_);
  std::uint64_t revision_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t touch_ TG_GUARDED_BY(mutex_) = 0;

  // The list of all vaults; guarded by its lock.
  VaultCore* next_live_ = nullptr;
  VaultCore* previous_live_ = nullptr;
};

}  // namespace detail
}  // namespace tg

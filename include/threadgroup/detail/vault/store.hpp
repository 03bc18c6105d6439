// SPDX-License-Identifier: Apache-2.0
// The values of a vault, without their types.
//
// Invariants
//   K1. Cells are written under the lock and read without it. During a step that changes several keys,
//       `sequence_` is odd. A reader that finds it odd or changed reads again under the lock. So no reader
//       sees half a step, and a reader that has seen a part of a step sees all of it from then on.
//   K5. A short value is read from its copy, or under the lock, and is never pinned. The copy is busy from
//       before the change of the cell until after it, so a reader that has seen the new value does not read
//       an old copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/vault/short_copy.hpp>
#include <threadgroup/detail/vault/sink.hpp>
#include <threadgroup/detail/vault/value.hpp>
#include <threadgroup/detail/vault/value_cell.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/vault_keyring.hpp>

namespace tg::inline v0::detail {

/// No key, and no function.
inline constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// The change of one key in a step: a value to store, or none to remove the value. After the step it holds
/// the previous value.
struct Change {
  std::size_t slot = 0;
  ValueRef value;
  EncodedValue encoded;
};

/// Keys and values. A key is known by its slot, a number.
///
/// Guarantees: it runs no code of the user: values are made before they are stored, and the caller destroys
/// those that are removed.
/// Thread safety: everything from any thread. Functions that end in `_locked` require `mutex()`, which is
/// also the lock of the other parts of a vault.
class TG_EXPORT ValueStore {
 public:
  /// `vault` is the name in errors. Throws `KeyTypeError` for two keys of one name and two types.
  ValueStore(std::string vault, const KeyList& keys);
  ValueStore(const ValueStore&) = delete;
  ValueStore& operator=(const ValueStore&) = delete;

  const std::string& vault_name() const noexcept { return vault_name_; }

  // --- Keys
  std::size_t slots() const noexcept { return infos_.size(); }
  const KeyInfo& info(std::size_t slot) const noexcept { return *infos_[slot]; }
  const std::string& key_name(std::size_t slot) const noexcept { return infos_[slot]->name; }
  /// Throws `UnknownKeyError`, or `KeyTypeError` for a key of the same name and another type.
  std::size_t find(const KeyInfo& key) const;
  /// The slot of the key of this name, or `kNone`.
  std::size_t find_name(const std::string& name) const noexcept;

  // --- Reading
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
  /// The value of one key of a short type, without a write to shared memory. If it returns nothing, `pin` may
  /// still find a value.
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
  std::vector<ValueRef> all_values() const;
  std::size_t size() const;

  Mutex& mutex() const noexcept TG_RETURN_CAPABILITY(mutex_) { return mutex_; }

  bool present_locked(std::size_t slot) const noexcept TG_REQUIRES(mutex_) {
    return cells_[slot].value.present();
  }
  ValueRef current_locked(std::size_t slot) const noexcept TG_REQUIRES(mutex_) {
    return cells_[slot].value.current();
  }
  /// The first of these keys that holds no value, or `kNone`.
  TG_LOCAL std::size_t find_missing_locked(std::span<const std::size_t> slots) const noexcept
      TG_REQUIRES(mutex_);

  // --- Writing
  /// The origin of a change, and what it is permitted to do.
  struct Writer {
    bool permit_modification = false;
    std::size_t automatic = kNone;  // the automatic that stores its outputs
    bool from_resource = false;     // true if the source of a read-only key makes the change
  };
  /// Throws if the changes are not permitted.
  TG_LOCAL void check_locked(std::span<const Change> changes, const Writer& writer) const TG_REQUIRES(mutex_);

  /// A step, for a scope during which the lock is held. If `several` says that there may be more than one
  /// change, readers see all of them at once (K1).
  class Step {
   public:
    Step(ValueStore& store, bool several) noexcept TG_REQUIRES(store.mutex_)
        : sequence_(several ? &store.sequence_ : nullptr) {
      ++store.revision_;
      if (sequence_ != nullptr) advance();
    }
    ~Step() {
      if (sequence_ != nullptr) advance();
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    void advance() noexcept {
      sequence_->store(sequence_->load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    Atomic<std::uint64_t>* const sequence_;
  };
  /// Stores the value, or removes the present one. Afterwards the change holds the previous value.
  void exchange_locked(Change& change, std::size_t automatic) noexcept TG_REQUIRES(mutex_) {
    State& state = states_[change.slot];
    state.stored_by = change.value ? automatic : kNone;
    if (change.value) state.stored_at = revision_;
    change.value = cells_[change.slot].exchange(std::move(change.value), infos_[change.slot]->is_short);
  }
  /// The number of the latest step.
  std::uint64_t revision_locked() const noexcept TG_REQUIRES(mutex_) { return revision_; }
  /// The automatic whose output the key holds, or `kNone`.
  std::size_t stored_by_locked(std::size_t slot) const noexcept TG_REQUIRES(mutex_) {
    return states_[slot].stored_by;
  }
  /// The revision that stored the latest value.
  std::uint64_t stored_at_locked(std::size_t slot) const noexcept TG_REQUIRES(mutex_) {
    return states_[slot].stored_at;
  }
  /// These keys are filled from `source` alone; an empty text lifts that.
  void set_source(std::span<const std::size_t> slots, const std::string& source);

  // --- Waiting
  WaitQueue& waiters(std::size_t slot) const noexcept { return cells_[slot].waiters; }
  TG_LOCAL void release_all_waiters() const noexcept;
  /// For a forked child: the flows that waited are the parent's.
  TG_LOCAL void forget_waiters() noexcept;

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
    std::size_t stored_by = kNone;
    std::uint64_t stored_at = 0;
    std::string source;  // if not empty, the key is read-only and filled from this source
  };

  PinnedValue pin_slowly(std::size_t slot) const noexcept;

  // Constant after construction.
  const std::string vault_name_;
  std::vector<std::shared_ptr<const KeyInfo>> infos_;
  std::vector<std::uint32_t> table_;  // open addressing: slot + 1, or 0
  std::uint64_t table_mask_ = 0;
  std::unique_ptr<Cell[]> cells_;

  Atomic<std::uint64_t> sequence_{0};  // written under the lock; atomic for K1

  mutable Mutex mutex_;
  std::vector<State> states_ TG_GUARDED_BY(mutex_);
  std::uint64_t revision_ TG_GUARDED_BY(mutex_) = 0;
};

}  // namespace tg::inline v0::detail

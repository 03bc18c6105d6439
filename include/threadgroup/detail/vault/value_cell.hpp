// SPDX-License-Identifier: Apache-2.0
// The cell from which values are read while writers replace them.
//
// Invariants
//   V1. A value never changes once it is in a cell, and is put into a cell at most once.
//   V2. A cell's word holds the value's address and, in its upper 16 bits, the number of readers that are
//       using the value through the cell. A reader reads the address and counts itself in one addition, so
//       it never counts itself on a value that was removed. In an empty cell the number has no meaning.
//   V3. While a value is in a cell, its own count is raised by kOwnedByCell. The flow that removes it from
//       the cell subtracts that share and adds the number of readers in the word, in one step. Readers that
//       find another value in the cell subtract themselves from the value's own count. So the count reaches
//       zero once, after the last of them.
#pragma once

#include <cstdint>
#include <utility>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/vault/value.hpp>

namespace tg::inline v0::detail {

class ValueCell;

/// A value in use by a reader, during one call. Writers can neither destroy nor change it meanwhile.
class PinnedValue {
 public:
  PinnedValue() = default;
  PinnedValue(ValueCell* cell, ValueNode* node) noexcept : cell_(cell), node_(node) {}
  explicit PinnedValue(ValueRef ref) noexcept : node_(ref.detach()) {}
  PinnedValue(PinnedValue&& other) noexcept
      : cell_(other.cell_), node_(std::exchange(other.node_, nullptr)) {}
  PinnedValue& operator=(PinnedValue&& other) noexcept {
    std::swap(cell_, other.cell_);
    std::swap(node_, other.node_);
    return *this;
  }
  inline ~PinnedValue();

  explicit operator bool() const noexcept { return node_ != nullptr; }
  ValueRef ref() const noexcept {
    if (node_ != nullptr) node_->add(1);
    return ValueRef(node_);
  }
  template <class T>
  const T& as() const noexcept {
    return static_cast<const TypedNode<T>*>(node_)->value;
  }

 private:
  ValueCell* cell_ = nullptr;  // null: the pin is a plain reference
  ValueNode* node_ = nullptr;
};

/// The word through which the value of a key is found.
///
/// Requires: writers exclude each other; fewer than 65,536 readers use one cell at the same moment; a cell is
/// written by `exchange_unpinned` only if `pin` is never called.
/// Thread safety: `pin` and `present` from any thread, with no lock.
/// Lifetime: outlives its pins.
class ValueCell {
 public:
  ValueCell() = default;
  ValueCell(const ValueCell&) = delete;
  ValueCell& operator=(const ValueCell&) = delete;
  ~ValueCell() { exchange(ValueRef()); }

  bool present() const noexcept { return node_of(word_.load(std::memory_order_acquire)) != nullptr; }

  PinnedValue pin() noexcept {
    if (!present()) return {};
    ValueNode* const node = node_of(word_.fetch_add(kOneReader, std::memory_order_acquire));
    return node != nullptr ? PinnedValue(this, node) : PinnedValue();
  }

  /// The value, as a writer reads it.
  ValueRef current() const noexcept {
    ValueNode* const node = node_of(word_.load(std::memory_order_relaxed));
    if (node != nullptr) node->add(1);
    return ValueRef(node);
  }

  /// Stores a value, or none, and returns the previous one.
  ValueRef exchange(ValueRef value) noexcept {
    ValueNode* const added = value.detach();
    if (added != nullptr) added->add(kOwnedByCell - 1, 1);  // V3; the caller's reference becomes the cell's
    const std::uint64_t before =
        word_.exchange(reinterpret_cast<std::uint64_t>(added), std::memory_order_acq_rel);
    ValueNode* const taken = node_of(before);
    if (taken == nullptr) return {};
    return cells_share_of(taken, static_cast<std::int64_t>(before >> kReaderShift));
  }
  /// The same for a cell whose values are never pinned: no reader changes the word.
  ValueRef exchange_unpinned(ValueRef value) noexcept {
    ValueNode* const added = value.detach();
    if (added != nullptr) added->add(kOwnedByCell - 1, 1);
    ValueNode* const taken = node_of(word_.load(std::memory_order_relaxed));
    word_.store(reinterpret_cast<std::uint64_t>(added), std::memory_order_release);
    return taken == nullptr ? ValueRef() : cells_share_of(taken, 0);
  }

 private:
  friend class PinnedValue;
  static_assert(sizeof(void*) == 8, "a cell keeps an address of 48 bits and a count in one word of 64");
  static constexpr unsigned kReaderShift = 48;
  static constexpr std::uint64_t kOneReader = std::uint64_t{1} << kReaderShift;
  static constexpr std::int64_t kOwnedByCell = std::int64_t{1} << 40;

  static ValueRef cells_share_of(ValueNode* taken, std::int64_t readers) noexcept {
    // V3; the cell's share becomes the caller's reference. Without readers, and without other shares than the
    // cell's, no flow can reach the value.
    if (readers == 0) {
      taken->add(1 - kOwnedByCell, kOwnedByCell);
    } else {
      taken->add(readers - kOwnedByCell + 1);
    }
    return ValueRef(taken);
  }
  static ValueNode* node_of(std::uint64_t word) noexcept {
    return reinterpret_cast<ValueNode*>(word & (kOneReader - 1));
  }

  void unpin(ValueNode* node) noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    while (node_of(word) == node) {  // V1: the value is in the cell since then
      if (word_.compare_exchange_weak(word, word - kOneReader, std::memory_order_release,
                                      std::memory_order_relaxed)) {
        return;
      }
    }
    node->settle(-1);  // V3
  }

  Atomic<std::uint64_t> word_{0};  // atomic: V2
};

inline PinnedValue::~PinnedValue() {
  if (node_ == nullptr) return;
  if (cell_ != nullptr) {
    cell_->unpin(node_);
  } else {
    node_->settle(-1);
  }
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// A source location in 15 bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/source_location.hpp>

namespace tg::inline v0::detail {

/// File and line as a number: small enough for each of a million queued tasks to know where it was added.
///
/// A number is the index of a slot in one table of the process, which is filled as locations are first used;
/// a known location costs one look-up. If the table is full, or the line is above 65,535, the location is
/// not recorded.
///
/// Thread safety: everything from any thread.
/// Lifetime: that of the program, as for `SourceLocation`.
class TG_EXPORT CallSite {
 public:
  static constexpr std::size_t kSlots = 4096;  // 32 KB, of which a program touches what it uses

  constexpr CallSite() noexcept = default;  ///< unknown
  explicit CallSite(const SourceLocation& where) noexcept : number_(number_of(where)) {}
  static constexpr CallSite from_number(std::uint16_t number) noexcept {
    CallSite place;
    place.number_ = number;
    return place;
  }

  std::uint16_t number() const noexcept { return number_; }
  /// File and line; the function is not kept.
  SourceLocation location() const noexcept;

 private:
  using Key = std::uint64_t;  // the file's address and the line; 0 is none
  static constexpr unsigned kLineBits = 16;

  // Runs in each add of a task, so it is short: for a constant line the compiler and linker fold the sums.
  static std::uint16_t number_of(const SourceLocation& where) noexcept {
    if (where.line == 0 || where.line >> kLineBits != 0) return 0;
    const auto file = reinterpret_cast<std::uintptr_t>(where.file);
    const Key key = Key{file} << kLineBits | where.line;
    const std::size_t slot = (file + where.line * std::size_t{97}) % kSlots;
    if (table[slot].load(std::memory_order_relaxed) == key) [[likely]]
      return static_cast<std::uint16_t>(slot + 1);
    return find_or_add(where.file, where.line, slot);
  }
  static std::uint16_t find_or_add(const char* file, std::uint32_t line, std::size_t slot) noexcept;

  // Atomic: filled by any thread, each slot once. What it points to is constant, so the order does not
  // matter.
  static std::array<Atomic<Key>, kSlots> table;

  std::uint16_t number_ = 0;
};

}  // namespace tg::inline v0::detail

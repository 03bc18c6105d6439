// SPDX-License-Identifier: Apache-2.0
// The table of locations.
#include <threadgroup/detail/call_site.hpp>

namespace tg::inline v0::detail {

constinit std::array<Atomic<CallSite::Key>, CallSite::kSlots> CallSite::table{};

std::uint16_t CallSite::find_or_add(const char* file, std::uint32_t line, std::size_t slot) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(file);
  const Key key = Key{address} << kLineBits | line;
  if (line >> kLineBits != 0 || key >> kLineBits != address) return 0;
  constexpr int kMostLooks = 16;  // a table so full that this does not help is as good as full
  for (int looks = 0; looks < kMostLooks; ++looks, slot = (slot + 1) % kSlots) {
    Key there = table[slot].load(std::memory_order_relaxed);
    if (there == 0 && table[slot].compare_exchange_strong(there, key, std::memory_order_relaxed)) there = key;
    if (there == key) return static_cast<std::uint16_t>(slot + 1);
  }
  return 0;
}

SourceLocation CallSite::location() const noexcept {
  SourceLocation where;
  if (number_ == 0) return where;
  const Key key = table[number_ - 1].load(std::memory_order_relaxed);
  where.file = reinterpret_cast<const char*>(static_cast<std::uintptr_t>(key >> kLineBits));
  where.line = static_cast<std::uint32_t>(key & ((Key{1} << kLineBits) - 1));
  return where;
}

}  // namespace tg::inline v0::detail

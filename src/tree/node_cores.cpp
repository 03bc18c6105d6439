// SPDX-License-Identifier: Apache-2.0
// Pages of cores.
#include "tree/node_cores.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace tg::inline v0::detail {

namespace {
// Walks are fast where nodes are next to each other over many pages of memory; a program with ten groups
// needs little. So each piece is twice as large as the one before it.
constexpr std::size_t kFirstBytes = 4096;
constexpr std::size_t kLastBytes = std::size_t{1024} * 1024;
constexpr int kSpares = 4;  // a flow rarely needs more than one at a time
}  // namespace

// At least one, so that `free_` is not empty afterwards.
void NodeCores::find_more() {
  free_ = returned_.exchange(nullptr, std::memory_order_acquire);
  if (free_ != nullptr) return;
  if (fresh_ == fresh_end_) {
    const std::size_t bytes = page_bytes_ == 0 ? kFirstBytes : std::min(2 * page_bytes_, kLastBytes);
    fresh_ = static_cast<Slot*>(::operator new(bytes, std::align_val_t(kFirstBytes)));
    fresh_end_ = fresh_ + bytes / sizeof(Slot);
    page_bytes_ = bytes;
#if defined(TG_SIMULATION)
    if (first_page_ == nullptr) first_page_ = fresh_;
#endif
  }
  free_ = ::new (static_cast<void*>(fresh_++)) Slot;
}

void NodeCores::give_spares(Spares& spares) {
  for (int i = 0; i < kSpares; ++i) {
    if (free_ == nullptr) find_more();
    Slot* const slot = free_;
    free_ = slot->next;
    slot->next = spares.first_;
    spares.first_ = slot;
  }
}

void NodeCores::give_back(NodeCore* core) noexcept {
  Slot* const slot = end(core);
  slot->next = returned_.load(std::memory_order_relaxed);
  while (!returned_.compare_exchange_weak(slot->next, slot, std::memory_order_release,
                                          std::memory_order_relaxed)) {
  }
}

#if defined(TG_SIMULATION)
void NodeCores::begin_again() noexcept {
  returned_.store(nullptr, std::memory_order_relaxed);
  free_ = nullptr;
  if (first_page_ == nullptr) return;
  fresh_ = fresh_end_;
  for (Slot* slot = first_page_ + kFirstBytes / sizeof(Slot); slot-- != first_page_;) {
    ::new (static_cast<void*>(slot)) Slot;
    slot->next = std::exchange(free_, slot);
  }
}
#endif

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Pages of cores.
#include <cstddef>
#include <new>

#include <threadgroup/tree/node_cores.hpp>

namespace tg::detail {

namespace {
constexpr std::size_t kPageBytes = 4096;
}

void NodeCores::make_page() {
  constexpr std::size_t kSlots = kPageBytes / sizeof(Slot);
  auto* const page = static_cast<std::byte*>(::operator new(kPageBytes, std::align_val_t(kPageBytes)));
  for (std::size_t i = kSlots; i-- > 0;) {
    auto* const slot = ::new (static_cast<void*>(page + i * sizeof(Slot))) Slot;
    slot->next = free_;
    free_ = slot;
  }
}

NodeCore* NodeCores::take(Node& owner) {
  if (free_ == nullptr) free_ = returned_.exchange(nullptr, std::memory_order_acquire);
  if (free_ == nullptr) make_page();
  Slot* const slot = free_;
  free_ = slot->next;
  return ::new (static_cast<void*>(&slot->core)) NodeCore(owner);
}

void NodeCores::give_back(NodeCore* core) noexcept {
  core->~NodeCore();
  auto* const slot = ::new (static_cast<void*>(core)) Slot;
  slot->next = returned_.load(std::memory_order_relaxed);
  while (!returned_.compare_exchange_weak(slot->next, slot, std::memory_order_release,
                                          std::memory_order_relaxed)) {
  }
}

}  // namespace tg::detail

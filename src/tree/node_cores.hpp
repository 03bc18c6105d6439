// SPDX-License-Identifier: Apache-2.0
// The memory of the parts of nodes that walks touch.
#pragma once

#include <cstddef>
#include <new>

#include <threadgroup/detail/atomic.hpp>

#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// Hands out and takes back cores of nodes. They come from pages that hold nothing else and are kept for
/// reuse.
///
/// Thread safety: `take`, `put_back` and `give_spares` only under the forest's lock, which their callers hold
/// anyway; `give_back` from any thread, without a lock; a flow's spares only by that flow.
/// Lifetime: part of the forest; pages are not given back to the heap.
class NodeCores {
  union Slot {
    Slot() noexcept : next(nullptr) {}
    ~Slot() {}
    Slot* next;  // while it is free
    NodeCore core;
  };

 public:
  /// Some free cores of one flow, for which it needs no lock.
  class Spares {
   public:
    bool empty() const noexcept { return first_ == nullptr; }
    NodeCore* take(Node& owner) noexcept { return begin(first_, owner); }
    void keep(NodeCore* core) noexcept { push(first_, core); }

   private:
    friend class NodeCores;
    Slot* first_ = nullptr;
  };

  /// Makes a core for the node. Throws `std::bad_alloc`.
  NodeCore* take(Node& owner) {
    if (free_ == nullptr) [[unlikely]]
      find_more();
    return begin(free_, owner);
  }
  void put_back(NodeCore* core) noexcept { push(free_, core); }
  /// Gives some to a flow that has none. Throws `std::bad_alloc`.
  void give_spares(Spares& spares);
  void give_back(NodeCore* core) noexcept;
#if defined(TG_SIMULATION)
  /// All cores are free again, in the order of their addresses, as at the start of the process.
  void begin_again() noexcept;
#endif

 private:
  static NodeCore* begin(Slot*& list, Node& owner) noexcept {
    Slot* const slot = list;
    list = slot->next;
    return ::new (static_cast<void*>(&slot->core)) NodeCore(owner);
  }
  static void push(Slot*& list, NodeCore* core) noexcept {
    Slot* const slot = end(core);
    slot->next = list;
    list = slot;
  }
  static Slot* end(NodeCore* core) noexcept {
    core->~NodeCore();
    return ::new (static_cast<void*>(core)) Slot;
  }
  void find_more();

  // Guarded by the forest's lock.
  Slot* free_ = nullptr;
  Slot* fresh_ = nullptr;  // never used yet
  Slot* fresh_end_ = nullptr;
  std::size_t page_bytes_ = 0;

#if defined(TG_SIMULATION)
  Slot* first_page_ = nullptr;
#endif

  Atomic<Slot*> returned_{nullptr};  // atomic: pushed to by any thread, taken as a whole under the lock
};

}  // namespace tg::inline v0::detail

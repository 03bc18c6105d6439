// SPDX-License-Identifier: Apache-2.0
// Which allocations of which threads fail.
#include "support/scarce_memory.hpp"

#include <atomic>
#include <utility>

#include "support/failing_new.hpp"

namespace tg::test {
namespace {

struct Memory {
  int left = -1;  // below zero: without end
  Shortage shortage = Shortage::passing;
  bool was_refused = false;
  int epoch = 0;  // that of the thread's first allocation
};
constinit thread_local Memory memory;
// Odd while new threads get nothing: a thread whose first allocation comes in such a time is new.
constinit std::atomic<int> epoch{2};

bool is_new_thread() noexcept {
  const int now = epoch.load(std::memory_order_acquire);
  if (memory.epoch == 0) memory.epoch = now;
  return now % 2 != 0 && memory.epoch == now;
}

}  // namespace

bool allocation_fails() noexcept {
  if (is_new_thread()) return true;
  if (memory.left < 0) return false;
  if (memory.left > 0) {
    --memory.left;
    return false;
  }
  memory.was_refused = true;
  if (memory.shortage == Shortage::passing) memory.left = -1;
  return true;
}

void allow(int allocations, Shortage shortage) noexcept {
  memory.left = allocations;
  memory.shortage = shortage;
  memory.was_refused = false;
}

bool allow_all() noexcept {
  memory.left = -1;
  return std::exchange(memory.was_refused, false);
}

void give_new_threads_none(bool none) noexcept {
  is_new_thread();  // the caller is an old one
  if ((epoch.load(std::memory_order_relaxed) % 2 != 0) != none) epoch.fetch_add(1, std::memory_order_acq_rel);
}

}  // namespace tg::test

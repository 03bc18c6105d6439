// SPDX-License-Identifier: Apache-2.0
// The allocation functions of the program, replaced. They stand apart from those who allocate: inlined, the
// pairs of malloc and delete would look like mistakes to the compiler.
#include "group/scarce_memory.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <utility>

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

bool refuse() noexcept {
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

void* allocate(std::size_t size) noexcept { return refuse() ? nullptr : std::malloc(size != 0 ? size : 1); }

void* or_throw(void* room) {
  if (room == nullptr) throw std::bad_alloc();
  return room;
}

}  // namespace

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

using tg::test::allocate;
using tg::test::or_throw;

void* operator new(std::size_t size) { return or_throw(allocate(size)); }
void* operator new[](std::size_t size) { return or_throw(allocate(size)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto to = static_cast<std::size_t>(alignment);
  return or_throw(tg::test::refuse() ? nullptr : std::aligned_alloc(to, (size + to - 1) / to * to));
}
void operator delete(void* room) noexcept { std::free(room); }
void operator delete[](void* room) noexcept { std::free(room); }
void operator delete(void* room, std::size_t) noexcept { std::free(room); }
void operator delete[](void* room, std::size_t) noexcept { std::free(room); }
void operator delete(void* room, std::align_val_t) noexcept { std::free(room); }
void operator delete(void* room, std::size_t, std::align_val_t) noexcept { std::free(room); }

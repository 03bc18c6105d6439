// SPDX-License-Identifier: Apache-2.0
// The allocation functions and `pthread_create` of the program, replaced.
#include "sweep/faults.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace tg::test {
namespace {

// Written by the test before its program starts and after it has ended, read by all threads.
struct Plan {
  std::atomic<bool> armed{false};
  std::atomic<Fault> fault{Fault::allocation};
  std::atomic<std::uint64_t> first{0};
  std::atomic<std::uint64_t> failing{0};
  std::atomic<std::uint64_t> attempts{0};
  std::atomic<bool> struck{false};
};
constinit Plan plan;
constinit thread_local int spared = 0;

bool strikes(Fault fault) noexcept {
  if (!plan.armed.load(std::memory_order_acquire) || plan.fault.load() != fault || spared > 0) return false;
  const std::uint64_t attempt = plan.attempts.fetch_add(1) + 1;
  const std::uint64_t first = plan.first.load();
  if (attempt < first || attempt >= first + plan.failing.load()) return false;
  plan.struck = true;
  return true;
}

void* allocate(std::size_t size) noexcept {
  return strikes(Fault::allocation) ? nullptr : std::malloc(size != 0 ? size : 1);
}

void* allocate(std::size_t size, std::align_val_t alignment) noexcept {
  if (strikes(Fault::allocation)) return nullptr;
  const auto to = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(to, (size + to - 1) / to * to);
}

void* or_throw(void* room) {
  if (room == nullptr) throw std::bad_alloc();
  return room;
}

}  // namespace

const char* to_string(Fault fault) noexcept { return fault == Fault::allocation ? "allocation" : "thread"; }

Faults::Faults(Fault fault, std::uint64_t first, std::uint64_t failing) noexcept {
  plan.fault = fault;
  plan.first = first;
  plan.failing = failing;
  plan.attempts = 0;
  plan.struck = false;
  plan.armed.store(true, std::memory_order_release);
}
Faults::~Faults() { plan.armed = false; }
bool Faults::has_struck() noexcept { return plan.struck; }

Spared::Spared() noexcept { ++spared; }
Spared::~Spared() { --spared; }

}  // namespace tg::test

using tg::test::allocate;
using tg::test::or_throw;

void* operator new(std::size_t size) { return or_throw(allocate(size)); }
void* operator new[](std::size_t size) { return or_throw(allocate(size)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new(std::size_t size, std::align_val_t to) { return or_throw(allocate(size, to)); }
void operator delete(void* room) noexcept { std::free(room); }
void operator delete[](void* room) noexcept { std::free(room); }
void operator delete(void* room, std::size_t) noexcept { std::free(room); }
void operator delete[](void* room, std::size_t) noexcept { std::free(room); }
void operator delete(void* room, std::align_val_t) noexcept { std::free(room); }
void operator delete(void* room, std::size_t, std::align_val_t) noexcept { std::free(room); }

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) noexcept {
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static Create* const create = reinterpret_cast<Create*>(::dlsym(RTLD_NEXT, "pthread_create"));
  return tg::test::strikes(tg::test::Fault::thread) ? EAGAIN : create(thread, attributes, run, argument);
}

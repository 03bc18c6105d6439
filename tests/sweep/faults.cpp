// SPDX-License-Identifier: Apache-2.0
// Which allocations fail, and the `pthread_create` of the program, replaced.
#include "sweep/faults.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>

#include "base/sanitizers.hpp"
#include "support/failing_new.hpp"

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

}  // namespace

bool allocation_fails() noexcept { return strikes(Fault::allocation); }

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

#if TG_THREAD_SANITIZER && defined(__clang__)
// clang links the sanitizer into the program: `dlsym` would find the C library's function, and the sanitizer would not know
// the thread.
extern "C" int __interceptor_pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                            void* (*run)(void*), void* argument);
#endif

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) noexcept {
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
#if TG_THREAD_SANITIZER && defined(__clang__)
  static Create* const create = &__interceptor_pthread_create;
#else
  static Create* const create = reinterpret_cast<Create*>(::dlsym(RTLD_NEXT, "pthread_create"));
#endif
  return tg::test::strikes(tg::test::Fault::thread) ? EAGAIN : create(thread, attributes, run, argument);
}

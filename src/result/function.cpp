// SPDX-License-Identifier: Apache-2.0
// The part of named functions that needs no types.
#include <threadgroup/function.hpp>

#include <array>
#include <cstdint>
#include <stdexcept>

#include "base/cache_line.hpp"
#include "runtime/fork.hpp"

namespace tg::inline v0::detail {

namespace {
// Functions belong to no group, so a forked child may use those of its parent. A lock in each of them could
// be inherited held; these few are held across forks.
struct alignas(kCacheLine) CellLock {
  Mutex mutex;
};
constinit std::array<CellLock, 16> locks;

Mutex& lock_for(const FunctionCell* cell) noexcept {
  return locks[reinterpret_cast<std::uintptr_t>(cell) / sizeof(FunctionCell) % locks.size()].mutex;
}

// The analysis cannot see a number of locks in a loop.
void lock_all() TG_NO_THREAD_SAFETY_ANALYSIS {
  for (CellLock& lock : locks) lock.mutex.lock();
}
void unlock_all() TG_NO_THREAD_SAFETY_ANALYSIS {
  for (CellLock& lock : locks) lock.mutex.unlock();
}
[[gnu::constructor(runtime::at_load::kLeaves)]] void functions_at_load() {
  runtime::at_fork(&lock_all, &unlock_all, &unlock_all);
}
}  // namespace

FunctionCell::FunctionCell(FunctionName name, std::shared_ptr<const FunctionCall> call)
    : name_(std::move(name)), mutex_(lock_for(this)), call_(std::move(call)) {
  if (name_.value.empty()) {
    throw std::invalid_argument("a function needs a name that is not empty: results are found by it");
  }
}

std::shared_ptr<const FunctionCall> FunctionCell::call() const {
  MutexLock lock(mutex_);
  return call_;
}

void FunctionCell::replace(std::shared_ptr<const FunctionCall> call) {
  MutexLock lock(mutex_);
  std::swap(call_, call);
  lock.unlock();  // the old arguments go with no lock held
}

}  // namespace tg::inline v0::detail

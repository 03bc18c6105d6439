// SPDX-License-Identifier: Apache-2.0
// Waiting for a semaphore of the system by a call that can be stopped.
#pragma once

#include <linux/futex.h>
#include <semaphore.h>
#include <sys/syscall.h>

#include <bit>
#include <cstdint>
#include <cstring>

#include "runtime/processor.hpp"

#if defined(__GLIBC__) && TG_STOPPABLE_CALLS
#define TG_KNOWS_SEMAPHORES 1

namespace tg::inline v0::runtime {

/// Counts as a waiter of the semaphore while it lives, so that `sem_post` wakes one. In glibc's semaphores (since 2.21,
/// with words of 64 bits) the first word has the value in its low half and the number of waiters in its high half; a
/// flag that says whether processes share it follows.
class SemaphoreWaiter {
 public:
  explicit SemaphoreWaiter(sem_t& semaphore) noexcept : semaphore_(semaphore) { add(kOneWaiter); }
  ~SemaphoreWaiter() { add(-kOneWaiter); }
  SemaphoreWaiter(const SemaphoreWaiter&) = delete;
  SemaphoreWaiter& operator=(const SemaphoreWaiter&) = delete;

  /// The system call: `(semaphore, operation(), 0, nullptr)` waits while the value is 0.
  static constexpr long kCall = SYS_futex;
  int operation() const noexcept {
    int shared = 0;
    std::memcpy(&shared, reinterpret_cast<const char*>(&semaphore_) + sizeof(std::uint64_t), sizeof shared);
    return FUTEX_WAIT | (shared != 0 ? 0 : FUTEX_PRIVATE_FLAG);
  }

 private:
  static constexpr std::uint64_t kOneWaiter = std::uint64_t{1} << 32;
  static_assert(sizeof(sem_t) == 32 && std::endian::native == std::endian::little, "glibc's, of 64 bits");

  void add(std::uint64_t waiters) noexcept {
    __atomic_fetch_add(reinterpret_cast<std::uint64_t*>(&semaphore_), waiters, __ATOMIC_SEQ_CST);
  }

  sem_t& semaphore_;
};

}  // namespace tg::inline v0::runtime
#else
#define TG_KNOWS_SEMAPHORES 0
#endif

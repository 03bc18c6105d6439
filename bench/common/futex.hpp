// SPDX-License-Identifier: Apache-2.0
// The bare system calls with which a thread sleeps on a word and is woken.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>

namespace bench {

/// Sleeps until the word is not zero.
inline void sleep_while_zero(std::atomic<std::uint32_t>& word) {
  while (word.load() == 0) ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
}

/// Makes the word one, and wakes all who sleep on it by one call.
inline void set_and_wake_all(std::atomic<std::uint32_t>& word) {
  word.store(1);
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace bench

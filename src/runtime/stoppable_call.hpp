// SPDX-License-Identifier: Apache-2.0
// A system call that a signal ends without a race.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/sanitizers.hpp"
#include "runtime/processor.hpp"

#if TG_THREAD_SANITIZER
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
#endif

namespace tg::inline v0::runtime {

/// Whether the library has the instructions below.
#if TG_STOPPABLE_CALLS
constexpr bool kHasStoppableCalls = true;

// A look at the word, and the system call. The handler of the stop signal finds the thread
// - from `begin` up to `end`: it moves on to `stopped`, for the kernel has not begun the call, or has undone it;
// - at `end`: the call has been made, and its result counts.
// So a stop that comes between the look and the call is not lost, and no byte is. musl and glibc cancel threads in this
// way. The names are the assembler's, so they have no namespace.
extern "C" {
[[gnu::visibility("hidden")]] long tg_stoppable_call(const void* word, long number, long a, long b, long c,
                                                     long d, long e, long f) noexcept;
[[gnu::visibility("hidden")]] extern const char tg_stoppable_call_begin[];
[[gnu::visibility("hidden")]] extern const char tg_stoppable_call_end[];
[[gnu::visibility("hidden")]] extern const char tg_stoppable_call_stopped[];
}
#else
constexpr bool kHasStoppableCalls = false;
inline long tg_stoppable_call(const void*, long, long, long, long, long, long, long) noexcept {
  return -ENOSYS;
}
#endif

#if TG_THREAD_SANITIZER
inline constinit char all_calls =
    0;  // one for all calls: a `write` of one thread is ordered before a `read` of another
#endif

template <class T>
long to_argument(T value) noexcept {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return static_cast<long>(reinterpret_cast<std::intptr_t>(value));
  } else {
    return static_cast<long>(value);
  }
}

/// Makes the call unless the word, a pointer, is set. Returns what the kernel does: a negative error number, or the
/// result; `-ECANCELED` if it was stopped before anything was done.
template <class... A>
long stoppable_call(const void* word, long number, A... arguments) noexcept {
  static_assert(sizeof...(A) <= 6);
  const long all[7] = {to_argument(arguments)..., 0};
  const auto at = [&](std::size_t i) { return i < sizeof...(A) ? all[i] : 0; };
#if TG_THREAD_SANITIZER
  // It knows the C library's calls, by which one thread may pass data to another, and not this one.
  __tsan_release(&all_calls);
#endif
  const long result = tg_stoppable_call(word, number, at(0), at(1), at(2), at(3), at(4), at(5));
#if TG_THREAD_SANITIZER
  __tsan_acquire(&all_calls);
#endif
  return result;
}

}  // namespace tg::inline v0::runtime

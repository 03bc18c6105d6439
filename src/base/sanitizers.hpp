// SPDX-License-Identifier: Apache-2.0
// Which sanitizer a source is compiled with, as 1 or 0: g++ says it by macros, clang by features.
#pragma once

#include <threadgroup/detail/config.hpp>

#if defined(__has_feature)
#define TG_HAS_FEATURE(feature) __has_feature(feature)
#else
#define TG_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || TG_HAS_FEATURE(address_sanitizer)
#define TG_ADDRESS_SANITIZER 1
#else
#define TG_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || TG_HAS_FEATURE(thread_sanitizer)
#define TG_THREAD_SANITIZER 1
#else
#define TG_THREAD_SANITIZER 0
#endif

#if TG_HAS_FEATURE(memory_sanitizer)
#define TG_MEMORY_SANITIZER 1
#else
#define TG_MEMORY_SANITIZER 0
#endif

namespace tg::inline v0::detail {

/// A sanitizer makes a program many times slower: tests do less.
inline constexpr bool kSanitized = TG_THREAD_SANITIZER != 0 || TG_ADDRESS_SANITIZER != 0;

/// If the program is built with ThreadSanitizer and the library is not, says on stderr that its reports will
/// be false, because the sanitizer cannot see the library's locks. Called once, while the library is loaded.
void warn_of_unseen_locks() noexcept;

}  // namespace tg::inline v0::detail

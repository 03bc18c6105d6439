// SPDX-License-Identifier: Apache-2.0
// Finds out whether the program is built with a sanitizer that the library is built without.
#include "base/sanitizers.hpp"

#include <cstdio>

// There in a program that is built with ThreadSanitizer.
// NOLINTNEXTLINE(bugprone-reserved-identifier): it is the sanitizer's own name
extern "C" [[gnu::weak]] void __tsan_init();

namespace tg::inline v0::detail {

void warn_of_unseen_locks() noexcept {
#if defined(TG_SIMULATION)
  return;  // tests/explorations/races answers the sanitizer's calls itself
#endif
  if (TG_THREAD_SANITIZER || &__tsan_init == nullptr) return;
  std::fputs(
      "threadgroup: this program is built with ThreadSanitizer and the library is not, so what the library "
      "orders will be reported as races. Build it with -DTG_SANITIZE=thread, see docs/sanitizers.md.\n",
      stderr);
}

}  // namespace tg::inline v0::detail

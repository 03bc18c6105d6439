// SPDX-License-Identifier: Apache-2.0
// The functions that the interposer has replaced.
#pragma once

#include <threadgroup/detail/atomic.hpp>

/// Marks a function that replaces one of the C library. It must be visible, although all else in the library is hidden.
#define TG_INTERPOSED extern "C" [[gnu::visibility("default")]]

namespace tg::inline v0::interpose {

/// Finds a function that this one replaces.
class NextSymbol {
 public:
  explicit constexpr NextSymbol(const char* name) noexcept : name_(name) {}
  NextSymbol(const NextSymbol&) = delete;
  NextSymbol& operator=(const NextSymbol&) = delete;

  /// Done while the library is loaded, so that calls are safe in signal handlers. Null if there is none: older C libraries
  /// have some functions in libraries of their own, which may not be loaded.
  [[gnu::cold, gnu::noinline]] void* find() noexcept;
  /// A call that comes before finds its own. Ends the program if there is none.
  void* address() noexcept {
    void* const known = address_.load(std::memory_order_acquire);
    return known != nullptr ? known : find_or_end();
  }

 private:
  [[gnu::cold, gnu::noinline]] void* find_or_end() noexcept;

  const char* const name_;
  detail::Atomic<void*> address_{nullptr};  // atomic: any thread may find it first
};

/// The next definition of a function: a sanitizer's or the C library's.
///
///     constinit NextFunction next_read("read", ::read);
///     return next_read(fd, buffer, bytes);
template <class F>
class NextFunction : public NextSymbol {
 public:
  /// The second argument gives the type.
  constexpr NextFunction(const char* name, F*) noexcept : NextSymbol(name) {}
  // NOLINTNEXTLINE(google-explicit-constructor): it is called like a function
  operator F*() noexcept { return reinterpret_cast<F*>(address()); }
};

template <class... Next>
void find_all(Next&... functions) noexcept {
  (static_cast<void>(functions.find()), ...);
}

}  // namespace tg::inline v0::interpose

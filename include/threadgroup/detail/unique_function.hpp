// SPDX-License-Identifier: Apache-2.0
// Callables of any type behind one signature: an owning, move-only one, and a reference to one.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/config.hpp>

namespace tg {
inline namespace v0 {

template <class Signature>
class UniqueFunction;

/// Owns one callable, which need not be copyable.
///
///     UniqueFunction<int(int)> f = [p = std::make_unique<int>(1)](int x) { return *p + x; };
///
/// Requires: it is not empty when it is called; see `operator bool`.
/// Guarantees: a callable that is not larger than three pointers and moves without throwing is stored inside,
/// any other one in an allocation. Moving never throws.
/// Thread safety: that of the callable; distinct objects are independent.
template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() = default;        ///< empty
  UniqueFunction(std::nullptr_t) {}  ///< empty

  /// Copies or moves the callable in. Implicit, so that a lambda can be passed.
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> &&
           std::is_invocable_r_v<R, std::decay_t<F>&, Args...>) UniqueFunction(F&& f) {
    using Callable = std::decay_t<F>;  // of a function: the pointer to it
    if constexpr (kFits<Callable>) {
      ::new (static_cast<void*>(storage_)) Callable(std::forward<F>(f));
      ops_ = &kInside<Callable>;
    } else {
      ::new (static_cast<void*>(storage_)) Callable*(new Callable(std::forward<F>(f)));
      ops_ = &kOutside<Callable>;
    }
  }

  /// Leaves `other` empty.
  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  /// Destroys the current callable, and leaves `other` empty.
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  /// Destroys the callable.
  ~UniqueFunction() { reset(); }

  /// True if it has a callable.
  explicit operator bool() const { return ops_ != nullptr; }
  /// Calls the callable.
  R operator()(Args... args) { return ops_->call(storage_, std::forward<Args>(args)...); }

 private:
  static constexpr std::size_t kCapacity = 3 * sizeof(void*);
  template <class F>
  static constexpr bool kFits = sizeof(F) <= kCapacity &&
                                alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;

  struct Ops {
    R (*call)(void*, Args&&...);
    void (*move)(void* from, void* to) noexcept;  // leaves nothing alive in `from`
    void (*destroy)(void*);
  };

  template <class F>
  static R invoke(F& f, Args&&... args) {
    if constexpr (std::is_void_v<R>) {
      std::invoke(f, std::forward<Args>(args)...);
    } else {
      return std::invoke(f, std::forward<Args>(args)...);
    }
  }

  template <class F>
  static constexpr Ops kInside{
      [](void* s, Args&&... args) -> R { return invoke(*static_cast<F*>(s), std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept {
        ::new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
      },
      [](void* s) { static_cast<F*>(s)->~F(); }};

  template <class F>
  static constexpr Ops kOutside{
      [](void* s, Args&&... args) -> R { return invoke(**static_cast<F**>(s), std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept { ::new (to) F*(*static_cast<F**>(from)); },
      [](void* s) { delete *static_cast<F**>(s); }};

  void take(UniqueFunction& other) noexcept {
    if (other.ops_ == nullptr) return;
    other.ops_->move(other.storage_, storage_);
    ops_ = std::exchange(other.ops_, nullptr);
  }
  void reset() {
    if (ops_ != nullptr) std::exchange(ops_, nullptr)->destroy(storage_);
  }

  alignas(void*) std::byte storage_[kCapacity];
  const Ops* ops_ = nullptr;
};

template <class Signature>
class FunctionRef;

/// A reference to a callable, for a parameter that is used only during the call.
///
/// Lifetime: the callable must outlive the call that it is passed to.
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  /// Refers to `f`. Implicit, so that a lambda can be passed.
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> && std::is_invocable_r_v<R, F&, Args...>)
      FunctionRef(F&& f)
      : call_([](void* object, Args... args) -> R {
          return std::invoke(*pointer_to<std::remove_reference_t<F>>(object), std::forward<Args>(args)...);
        }) {
    if constexpr (std::is_function_v<std::remove_reference_t<F>>) {
      object_ = reinterpret_cast<void*>(std::addressof(f));  // POSIX: a data pointer has room for it
    } else {
      object_ = const_cast<void*>(static_cast<const void*>(std::addressof(f)));
    }
  }

  /// Calls the callable.
  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  template <class F>
  static F* pointer_to(void* object) {
    if constexpr (std::is_function_v<F>) {
      return reinterpret_cast<F*>(object);
    } else {
      return static_cast<F*>(object);
    }
  }

  void* object_;
  R (*call_)(void*, Args...);
};

}  // namespace v0
}  // namespace tg

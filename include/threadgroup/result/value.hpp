// SPDX-License-Identifier: Apache-2.0
// A value of any type, which knows its type and how to print itself.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <threadgroup/base/print.hpp>

namespace tg {

/// Owns a value of any type, also of one that can only be moved; or nothing, for functions that return void.
///
///     Value v = Value::of(std::vector{1, 2});      v.str() == "[1, 2]"      v.try_as<std::vector<int>>() !=
///     nullptr
///
/// Thread safety: reading from any threads.
class Value {
 public:
  Value() = default;  ///< nothing; prints as "void"

  template <class T>
  static Value of(T&& value) {
    using Stored = std::decay_t<T>;
    static_assert(std::is_constructible_v<Stored, T&&>,
                  "a result is kept; this one can neither be copied nor moved out of the function");
    static_assert(std::is_nothrow_destructible_v<Stored>,
                  "the destructor of a result must not throw: no caller could catch it");
    Value made;
    made.held_ = std::make_unique<const Held<Stored>>(std::forward<T>(value));
    return made;
  }

  bool has_value() const noexcept { return held_ != nullptr; }
  const std::type_info& type() const noexcept { return held_ != nullptr ? held_->type() : typeid(void); }
  /// As in the source: "int", "std::vector<std::string>".
  std::string type_name() const { return detail::type_name(type()); }
  std::string str() const { return held_ != nullptr ? held_->str() : "void"; }

  /// The value if it is a `T` (exactly: there are no conversions), else null.
  template <class T>
  const T* try_as() const noexcept {
    if (held_ == nullptr || held_->type() != typeid(T)) return nullptr;
    return &static_cast<const Held<T>&>(*held_).value;
  }

 private:
  struct HeldBase {
    virtual ~HeldBase() = default;
    virtual const std::type_info& type() const noexcept = 0;
    virtual std::string str() const = 0;
  };
  template <class T>
  struct Held final : HeldBase {
    template <class U>
    explicit Held(U&& given) : value(std::forward<U>(given)) {}
    const std::type_info& type() const noexcept override { return typeid(T); }
    std::string str() const override { return detail::printed(value); }
    T value;
  };

  std::unique_ptr<const HeldBase> held_;
};

namespace detail {
/// Calls, and wraps whatever comes back.
template <class Call>
Value value_of(Call&& call) {
  using R = std::invoke_result_t<Call>;
  if constexpr (std::is_void_v<R>) {
    std::forward<Call>(call)();
    return Value();
  } else if constexpr (std::is_same_v<R, Value>) {
    return std::forward<Call>(call)();
  } else {
    return Value::of(std::forward<Call>(call)());
  }
}
}  // namespace detail
}  // namespace tg

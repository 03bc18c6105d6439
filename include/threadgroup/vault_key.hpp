// SPDX-License-Identifier: Apache-2.0
// Keys of a vault: a name, the type of the value, validators and modifiers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/vault/value.hpp>
#include <threadgroup/print.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/vault_types.hpp>

namespace tg {
inline namespace v0 {

namespace detail {

/// A key without the type of its values. Constant after construction.
struct TG_EXPORT KeyInfo {
  KeyInfo(std::string given, const std::type_info& its_type, bool type_is_short);
  virtual ~KeyInfo() = default;
  virtual std::string print(const ValueRef& value) const = 0;

  const std::string name;
  const std::uint64_t hash;
  const std::type_info* const type;
  const bool is_short;  // its values fit a `ShortCopy`
};

/// The text, or its beginning and its length if it is long.
TG_EXPORT std::string in_short(std::string text);
[[noreturn]] TG_EXPORT void throw_rejected(const std::string& key, const std::string& why);

template <class F>
struct NamedCheck {
  std::string text;
  F check;
};
template <class F>
struct ModifierOf {
  F change;
};

template <class T>
struct TypedKeyInfo final : KeyInfo {
  using Check = std::function<std::optional<std::string>(const T&)>;  // returns what is wrong

  explicit TypedKeyInfo(std::string given) : KeyInfo(std::move(given), typeid(T), ShortCopy::kFits<T>) {}
  std::string print(const ValueRef& value) const override { return printed(value.as<T>()); }

  template <class F>
  void add(ModifierOf<F> m) {
    static_assert(std::is_invocable_r_v<T, F&, T>,
                  "tg::Key: a modifier takes the key's value and returns the one to store");
    modifiers.emplace_back(std::move(m.change));
  }
  template <class F>
  void add(NamedCheck<F> named) {
    static_assert(std::is_invocable_r_v<bool, F&, const T&>,
                  "tg::Key: a validator with a text takes `const T&` and returns bool");
    checks.emplace_back([named = std::move(named)](const T& value) mutable -> std::optional<std::string> {
      if (named.check(value)) return std::nullopt;
      return named.text;
    });
  }
  template <class F>
  void add(F check) {
    static_assert(std::is_invocable_v<F&, const T&>,
                  "tg::Key: a validator must be callable with `const T&`, where T is the key's type");
    using R = std::invoke_result_t<F&, const T&>;
    const std::string number = std::to_string(checks.size() + 1);
    checks.emplace_back([check = std::move(check),
                         number](const T& value) mutable -> std::optional<std::string> {
      if constexpr (std::is_void_v<R>) {
        check(value);
        return std::nullopt;
      } else if constexpr (std::is_same_v<R, bool>) {
        if (check(value)) return std::nullopt;
        return "validator " + number + " refuses it";
      } else {
        static_assert(std::is_convertible_v<R, std::optional<std::string>>,
                      "tg::Key: a validator returns bool, nothing (it throws), or an optional text that says "
                      "what is wrong");
        return check(value);
      }
    });
  }

  void validate(const T& value) const {
    for (const Check& check : checks) {
      std::optional<std::string> problem;
      try {
        problem = check(value);
      } catch (...) {
        problem = describe_exception(std::current_exception());
      }
      if (problem) throw_rejected(name, *problem + " (value: " + in_short(printed(value)) + ")");
    }
  }

  /// The value as it will be stored. Runs the user's code; throws `ValueRejectedError`.
  ValueRef make(T value) const {
    if (modifiers.empty()) return make_unmodified(std::move(value));
    std::optional<T> changed;
    std::string problem;
    try {
      changed.emplace(modified(std::move(value), 0));
    } catch (...) {
      problem = "its modifier: " + describe_exception(std::current_exception());
    }
    if (!changed) throw_rejected(name, problem);
    return make_unmodified(std::move(*changed));
  }
  T modified(T value, std::size_t done) const {  // recursive, because T need not be assignable
    if (done == modifiers.size()) return value;
    return modified(modifiers[done](std::move(value)), done + 1);
  }
  ValueRef make_unmodified(T value) const {
    validate(value);
    return ValueRef(new TypedNode<T>(std::move(value)));
  }

  std::vector<Check> checks;
  std::vector<std::function<T(T)>> modifiers;
};

}  // namespace detail

/// A validator with a text that says what a valid value is. The error for a refused value contains the text.
///
///     tg::Key<int> port{"port", tg::validator("a port is 1 to 65535", is_port)};
template <class F>
detail::NamedCheck<F> validator(std::string text, F check) {
  return {std::move(text), std::move(check)};
}

/// A modifier, which changes each value before it is validated and stored.
///
///     tg::Key<std::string> user{"user", tg::modifier([](std::string s) { return trim(s); })};
template <class F>
detail::ModifierOf<F> modifier(F change) {
  return {std::move(change)};
}

/// The name of a value in a vault, and its type.
///
///     struct Keyring {
///       tg::Key<std::string> user{"user", [](const std::string& s) { return !s.empty(); }};
///       tg::Key<int> port{"port", tg::validator("a port is 1 to 65535", is_port)};
///     };
///
/// A validator is called with `const T&`. It returns bool, or an optional text that says what is wrong, or
/// it returns void and throws. Modifiers run first, then the validators check the value that would be stored;
/// both run in the order in which they were given.
///
/// Requires: validators and modifiers can be called by several threads at the same time.
/// Guarantees: none of them runs under a lock.
/// Thread safety: everything from any thread; a key never changes.
/// Lifetime: cheap to copy; copies are the same key.
template <class T>
class Key {
  static_assert(std::is_object_v<T> && std::is_same_v<T, std::remove_cv_t<T>> && !std::is_array_v<T>,
                "tg::Key<T>: T is a plain type: no reference, no const, no array");
  static_assert(std::is_move_constructible_v<T>, "tg::Key<T>: T must be movable");

 public:
  using value_type = T;  ///< the type of the values

  /// A key with this name and these validators and modifiers.
  template <class... Checks>
  explicit Key(std::string name, Checks... checks) {
    auto info = std::make_shared<detail::TypedKeyInfo<T>>(std::move(name));
    (info->add(std::move(checks)), ...);
    info_ = std::move(info);
  }

  /// The key's name.
  const std::string& name() const noexcept { return info_->name; }
  /// For the library.
  const detail::TypedKeyInfo<T>& info() const noexcept { return *info_; }
  /// For the library.
  std::shared_ptr<const detail::KeyInfo> shared_info() const noexcept { return info_; }

 private:
  std::shared_ptr<const detail::TypedKeyInfo<T>> info_;
};

/// A key of any type, for lists of keys.
class AnyKey {
 public:
  /// Implicit, so that keys can be listed: `{key_a, key_b}`.
  template <class T>
  AnyKey(const Key<T>& key) : info_(key.shared_info()) {}

  /// The key's name.
  const std::string& name() const noexcept { return info_->name; }
  /// For the library.
  const std::shared_ptr<const detail::KeyInfo>& info() const noexcept { return info_; }

 private:
  std::shared_ptr<const detail::KeyInfo> info_;
};

/// The keys that hold the arguments of a function, in the order of its parameters.
template <class... T>
struct Inputs {
  std::tuple<Key<T>...> keys;  ///< the keys
};
/// Makes `Inputs`: `tg::inputs(key_a, key_b)`.
template <class... T>
Inputs<T...> inputs(const Key<T>&... key) {
  return {{key...}};
}

/// The keys under which the result of a function is stored: one, or one for each element of a tuple.
template <class... T>
struct Outputs {
  std::tuple<Key<T>...> keys;  ///< the keys
};
/// Makes `Outputs`: `tg::outputs(key_a, key_b)`.
template <class... T>
Outputs<T...> outputs(const Key<T>&... key) {
  return {{key...}};
}

}  // namespace v0
}  // namespace tg

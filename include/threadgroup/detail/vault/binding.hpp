// SPDX-License-Identifier: Apache-2.0
// The rules by which a function fits its keys: the parameter for an input, and the result for the outputs.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <threadgroup/detail/caller.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/signature.hpp>
#include <threadgroup/detail/vault/core.hpp>
#include <threadgroup/vault_key.hpp>

namespace tg::inline v0::detail {

template <class T>
inline constexpr bool kIsOutputs = false;
template <class... T>
inline constexpr bool kIsOutputs<Outputs<T...>> = true;

// --- May a V be stored under a Key<T>?

template <class V, class T>
inline constexpr bool kLosesMeaning = std::is_arithmetic_v<V>&& std::is_arithmetic_v<T> &&
                                      (std::is_same_v<V, bool> != std::is_same_v<T, bool> ||
                                       (std::is_floating_point_v<V> && std::is_integral_v<T>));

/// Convertible, and not from a floating-point number to a whole one, or between numbers and bool.
template <class V, class T>
inline constexpr bool kFits = std::is_convertible_v<V, T> && !kLosesMeaning<std::remove_cvref_t<V>, T>;

// --- One input and its parameter.

enum class Passing { reference, optional, shared };

template <class T, class P>
constexpr Passing passing() {
  using Plain = std::remove_cvref_t<P>;
  if constexpr (std::is_same_v<Plain, std::optional<T>>) {
    return Passing::optional;
  } else if constexpr (std::is_same_v<Plain, std::shared_ptr<const T>>) {
    return Passing::shared;
  } else {
    return Passing::reference;
  }
}

template <std::size_t Position, class T, class P>
struct CheckParameter {
  static constexpr bool kMutable =
      std::is_lvalue_reference_v<P> && !std::is_const_v<std::remove_reference_t<P>>;
  static_assert(!kMutable,
                "threadgroup vault: a parameter is a non-const reference, but inputs cannot be changed in "
                "place; take `const T&` or `T` (see Position, T and P above)");
  static constexpr bool kRight = kMutable || passing<T, P>() != Passing::reference || kFits<const T&, P> ||
                                 (std::is_reference_v<P> && kFits<const T&, std::remove_cvref_t<P>>);
  static_assert(
      kRight,
      "threadgroup vault: a parameter does not fit its input key: for a Key<T> it is `const T&`, `T`, "
      "`std::optional<T>` (the input may be missing) or `std::shared_ptr<const T>` "
      "(see Position, T and P above)");
  static constexpr bool kGood = !kMutable && kRight;
};

/// True if a function of so many inputs takes a `std::stop_token` before them.
template <class F, class... T>
constexpr bool takes_token() {
  using P = ParametersOf<F>;
  if constexpr (!P::kKnown) {
    return !std::is_invocable_v<F&, const T&...> && std::is_invocable_v<F&, std::stop_token, const T&...>;
  } else if constexpr (P::kCount == sizeof...(T) + 1) {
    return std::is_same_v<std::remove_cvref_t<typename P::template At<0>>, std::stop_token>;
  } else {
    return false;
  }
}

template <class F, std::size_t kFirst, class Sequence, class... T>
struct CheckAll;
template <class F, std::size_t kFirst, std::size_t... I, class... T>
struct CheckAll<F, kFirst, std::index_sequence<I...>, T...> {
  static constexpr bool kGood =
      (CheckParameter<I, T, typename ParametersOf<F>::template At<kFirst + I>>::kGood && ...);
};

/// The argument that `f` is passed for its parameter I.
template <class F, std::size_t I, class T>
constexpr Passing passing_for() {
  if constexpr (ParametersOf<F>::kKnown) {
    return passing<T, typename ParametersOf<F>::template At<I>>();
  } else {
    return Passing::reference;
  }
}

template <class T, Passing kHow>
decltype(auto) argument(const ValueRef& value) {
  if constexpr (kHow == Passing::optional) {
    return value ? std::optional<T>(value.as<T>()) : std::optional<T>();
  } else if constexpr (kHow == Passing::shared) {
    return share_value<T>(value);
  } else {
    return value.as<T>();
  }
}

template <class F, class... T>
struct CallTraits {
  static constexpr bool kTakesToken = takes_token<F, T...>();
  static constexpr std::size_t kFirst = kTakesToken ? 1 : 0;  // the parameter for the first input

  static constexpr bool check() {
    using P = ParametersOf<F>;
    if constexpr (P::kKnown) {
      static_assert(P::kCount == kFirst + sizeof...(T),
                    "threadgroup vault: the function must have exactly one parameter for each key in "
                    "tg::inputs(...), in the same order (and may have a `std::stop_token` before them)");
      if constexpr (P::kCount == kFirst + sizeof...(T)) {
        return CheckAll<F, kFirst, std::index_sequence_for<T...>, T...>::kGood;
      } else {
        return false;
      }
    } else {
      static_assert(kTakesToken || std::is_invocable_v<F&, const T&...>,
                    "threadgroup vault: the function cannot be called with one `const T&` for each key in "
                    "tg::inputs(...)");
      return kTakesToken || std::is_invocable_v<F&, const T&...>;
    }
  }
  static constexpr bool kGood = check();

  template <std::size_t... I>
  static decltype(auto) call(F& f, const std::vector<ValueRef>& values, std::index_sequence<I...>) {
    if constexpr (kTakesToken) {
      return std::invoke(f, token_of_caller(), argument<T, passing_for<F, kFirst + I, T>()>(values[I])...);
    } else {
      return std::invoke(f, argument<T, passing_for<F, I, T>()>(values[I])...);
    }
  }
  static decltype(auto) call(F& f, const std::vector<ValueRef>& values) {
    return call(f, values, std::index_sequence_for<T...>());
  }
  /// Which inputs must be present.
  static std::vector<bool> required() {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::vector<bool>{(passing_for<F, kFirst + I, T>() != Passing::optional)...};
    }
    (std::index_sequence_for<T...>());
  }
};

// --- The result and the outputs.

template <class R>
concept TupleLike = requires {
  std::tuple_size<std::remove_cvref_t<R>>::value;
};

/// The type of the value in a part of a result: without the optional, unless the key's own type is one.
template <class R, class T>
constexpr bool may_be_missing() {
  return kIsOptional<std::remove_cvref_t<R>> && !std::is_same_v<std::remove_cvref_t<R>, T>;
}

template <class R, class T>
constexpr bool result_fits() {
  if constexpr (std::is_void_v<R>) {
    return false;
  } else if constexpr (may_be_missing<R, T>()) {
    return kFits<typename std::remove_cvref_t<R>::value_type, T>;
  } else {
    return kFits<R, T>;
  }
}

template <std::size_t Position, class T, class R>
struct CheckResult {
  static constexpr bool kGood = result_fits<R, T>();
  static_assert(
      kGood,
      "threadgroup vault: what the function returns does not fit its output key: for a Key<T> it is a "
      "T, or a `std::optional<T>` (the output may be missing) (see Position, T and R above)");
};

template <class R, class... T>
constexpr bool check_results() {
  if constexpr (sizeof...(T) == 0) {
    return true;
  } else if constexpr (sizeof...(T) == 1) {
    return CheckResult<0, T..., R>::kGood;
  } else {
    static_assert(
        TupleLike<R>,
        "threadgroup vault: a function with several keys in tg::outputs(...) must return a std::tuple "
        "with one element for each of them");
    if constexpr (TupleLike<R>) {
      constexpr bool kSameSize = std::tuple_size_v<std::remove_cvref_t<R>> == sizeof...(T);
      static_assert(
          kSameSize,
          "threadgroup vault: the tuple that the function returns must have exactly one element for "
          "each key in tg::outputs(...)");
      if constexpr (kSameSize) {
        return []<std::size_t... I>(std::index_sequence<I...>) {
          return (CheckResult<I, T, std::tuple_element_t<I, std::remove_cvref_t<R>>>::kGood && ...);
        }
        (std::index_sequence_for<T...>());
      } else {
        return false;
      }
    } else {
      return false;
    }
  }
}

/// Adds a value to a step, after modifiers and validators; an empty optional adds nothing.
template <class T, class R>
void add_change(std::vector<Change>& changes, std::size_t slot, const Key<T>& key, R&& result) {
  if constexpr (may_be_missing<R, T>()) {
    if (result.has_value()) changes.push_back({slot, key.info().make(T(*std::forward<R>(result))), {}});
  } else {
    changes.push_back({slot, key.info().make(T(std::forward<R>(result))), {}});
  }
}

template <class R, class... T>
std::vector<Change> changes_from(R&& result, const std::tuple<Key<T>...>& keys,
                                 std::span<const std::size_t> slots) {
  std::vector<Change> changes;
  changes.reserve(sizeof...(T));
  if constexpr (sizeof...(T) == 1) {
    add_change(changes, slots[0], std::get<0>(keys), std::forward<R>(result));
  } else {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (add_change(changes, slots[I], std::get<I>(keys), std::get<I>(std::forward<R>(result))), ...);
    }
    (std::index_sequence_for<T...>());
  }
  return changes;
}

template <class... T>
std::vector<std::size_t> find_all(const VaultCore& core, const std::tuple<Key<T>...>& keys) {
  return std::apply(
      [&core](const auto&... key) { return std::vector<std::size_t>{core.find(key.info())...}; }, keys);
}

/// "a, b -> c"
TG_EXPORT std::string describe_flow(const VaultCore& core, std::span<const std::size_t> inputs,
                                    std::span<const std::size_t> outputs);

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Arguments for a function that is known only by its name, checked at run time.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

#include <threadgroup/detail/export.hpp>

namespace tg {
inline namespace v0 {

namespace detail {

/// A number or a text in one of a few common types; empty for values of other types.
using PlainValue =
    std::variant<std::monostate, bool, long long, unsigned long long, long double, std::string_view>;

/// One argument of any type, from which the receiver may move.
struct OfferedArgument {
  const std::type_info* type = nullptr;
  void* object = nullptr;
  PlainValue plain;
};

template <class T>
PlainValue plain_value_of(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value;
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    return static_cast<long long>(value);
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<unsigned long long>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<long double>(value);
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return static_cast<std::string_view>(value);
  } else {
    return {};
  }
}

/// The arguments of one `update_fn_args`. An argument fits if it has the type of the one that it replaces, or
/// is a number that the type can hold, or a text for a `std::string`.
class TG_EXPORT OfferedArguments {
 public:
  OfferedArguments(const OfferedArgument* arguments, std::size_t count) noexcept
      : arguments_(arguments), count_(count) {}

  void check_count(const std::string& function, std::size_t wanted) const;

  template <class T>
  T as(std::size_t index, const std::string& function) const {
    const OfferedArgument& offered = arguments_[index];
    if (*offered.type == typeid(T)) return std::move(*static_cast<T*>(offered.object));
    if constexpr (std::is_same_v<T, std::string>) {
      if (const auto* text = std::get_if<std::string_view>(&offered.plain)) return std::string(*text);
    } else if constexpr (std::is_floating_point_v<T>) {
      if (const auto* number = std::get_if<long long>(&offered.plain)) return static_cast<T>(*number);
      if (const auto* number = std::get_if<unsigned long long>(&offered.plain))
        return static_cast<T>(*number);
      if (const auto* number = std::get_if<long double>(&offered.plain)) return static_cast<T>(*number);
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (const auto* number = std::get_if<long long>(&offered.plain)) {
        if (holds<T>(*number)) return static_cast<T>(*number);
        throw_does_not_fit(index, function, typeid(T));
      }
      if (const auto* number = std::get_if<unsigned long long>(&offered.plain)) {
        if (holds<T>(*number)) return static_cast<T>(*number);
        throw_does_not_fit(index, function, typeid(T));
      }
    }
    throw_wrong_type(index, function, typeid(T));
  }

 private:
  // std::in_range takes no characters.
  template <class T, class From>
  static bool holds(From number) {
    const auto there = static_cast<T>(number);
    return static_cast<From>(there) == number && (there < T()) == (number < From());
  }
  [[noreturn]] void throw_wrong_type(std::size_t index, const std::string& function,
                                     const std::type_info& wanted) const;
  [[noreturn]] void throw_does_not_fit(std::size_t index, const std::string& function,
                                       const std::type_info& wanted) const;

  const OfferedArgument* const arguments_;
  const std::size_t count_;
};

/// Calls `use` with copies of the arguments, which exist during that call.
template <class Use, class... Args>
void with_offered(Use&& use, Args&&... args) {
  std::tuple<std::decay_t<Args>...> kept(std::forward<Args>(args)...);
  std::apply(
      [&use](auto&... each) {
        const std::array<OfferedArgument, sizeof...(Args)> offered = {
            OfferedArgument{&typeid(std::remove_reference_t<decltype(each)>),
                            static_cast<void*>(std::addressof(each)), plain_value_of(each)}...};
        use(OfferedArguments(offered.data(), offered.size()));
      },
      kept);
}

}  // namespace detail
}  // namespace v0
}  // namespace tg

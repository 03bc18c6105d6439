// SPDX-License-Identifier: Apache-2.0
// Checks that a JSON value fits the C++ type that it is read into.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <limits>
#include <list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <valarray>
#include <vector>

#include <nlohmann/json.hpp>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::detail {

// nlohmann-json converts numbers by `static_cast`: what does not fit wraps around or is undefined. So each
// number is checked before it is converted, through all containers that the library knows. The types of users
// do their own conversions; for these, the result is checked.

template <class T>
inline constexpr bool kIsList = false;
template <class T, class... R>
inline constexpr bool kIsList<std::vector<T, R...>> = true;
template <class T, class... R>
inline constexpr bool kIsList<std::deque<T, R...>> = true;
template <class T, class... R>
inline constexpr bool kIsList<std::list<T, R...>> = true;
template <class T, class... R>
inline constexpr bool kIsList<std::forward_list<T, R...>> = true;
template <class T, class... R>
inline constexpr bool kIsList<std::set<T, R...>> = true;
template <class T, class... R>
inline constexpr bool kIsList<std::multiset<T, R...>> = true;
template <class T, class... R>
inline constexpr bool kIsList<std::unordered_set<T, R...>> = true;
template <class T, class... R>
inline constexpr bool kIsList<std::unordered_multiset<T, R...>> = true;
template <class T>
inline constexpr bool kIsList<std::valarray<T>> = true;

template <class T>
inline constexpr bool kIsMap = false;
template <class K, class V, class... R>
inline constexpr bool kIsMap<std::map<K, V, R...>> = true;
template <class K, class V, class... R>
inline constexpr bool kIsMap<std::multimap<K, V, R...>> = true;
template <class K, class V, class... R>
inline constexpr bool kIsMap<std::unordered_map<K, V, R...>> = true;
template <class K, class V, class... R>
inline constexpr bool kIsMap<std::unordered_multimap<K, V, R...>> = true;

/// The element types of a list of fixed length: a pair, a tuple or an array.
template <class T>
struct FixedList {
  static constexpr bool kIs = false;
};
template <class T, std::size_t N>
struct FixedList<std::array<T, N>> {
  static constexpr bool kIs = true;
};
template <class A, class B>
struct FixedList<std::pair<A, B>> {
  static constexpr bool kIs = true;
};
template <class... T>
struct FixedList<std::tuple<T...>> {
  static constexpr bool kIs = true;
};

/// True if `Is` holds for all types that values of this type are made of.
template <template <class> class Is, class T>
consteval bool all_parts() {
  if constexpr (kIsList<T>) {
    return all_parts<Is, std::remove_cv_t<typename T::value_type>>();
  } else if constexpr (kIsMap<T>) {
    return all_parts<Is, typename T::key_type>() && all_parts<Is, typename T::mapped_type>();
  } else if constexpr (FixedList<T>::kIs) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return (all_parts<Is, std::remove_cv_t<std::tuple_element_t<I, T>>>() && ...);
    }
    (std::make_index_sequence<std::tuple_size_v<T>>());
  } else {
    return Is<T>::value;
  }
}

template <class T>
using IsUnderstood = std::bool_constant<std::is_arithmetic_v<T> || std::is_enum_v<T> ||
                                        std::is_same_v<T, std::string> || std::is_same_v<T, nlohmann::json>>;
template <class T>
using IsNoLongDouble = std::bool_constant<!std::is_same_v<T, long double>>;
template <class T>
using IsNoView = std::bool_constant<!std::is_same_v<T, std::string_view> && !std::is_pointer_v<T>>;

/// Throws `std::invalid_argument`: "5000000000 does not fit the type int".
[[noreturn]] TG_EXPORT void throw_misfit(const nlohmann::json& json, const std::type_info& type);
/// Throws unless it is an integer between the bounds. Leaves values that are not numbers to nlohmann-json.
TG_EXPORT void require_integer(const nlohmann::json& json, std::int64_t lowest, std::uint64_t highest,
                               const std::type_info& type);
/// Throws unless it is a number up to `highest`, the largest one that is rounded to a number of the type, and
/// is not rounded to 0 although it is not 0.
TG_EXPORT void require_real(const nlohmann::json& json, double smallest, double highest,
                            const std::type_info& type);
TG_EXPORT void require_length(const nlohmann::json& json, std::size_t length);

/// Throws `std::invalid_argument` if a number in it does not fit, or a list has the wrong length.
template <class T>
void require_fit(const nlohmann::json& json) {
  if constexpr (std::is_same_v<T, bool>) {
    // nlohmann-json accepts only a boolean for it
  } else if constexpr (std::is_integral_v<T>) {
    require_integer(json, static_cast<std::int64_t>(std::numeric_limits<T>::min()),
                    static_cast<std::uint64_t>(std::numeric_limits<T>::max()), typeid(T));
  } else if constexpr (std::is_floating_point_v<T>) {
    constexpr bool is_float = std::is_same_v<T, float>;
    // The largest double below FLT_MAX and half a unit in its last place, which is rounded to infinity.
    constexpr double highest_for_float = 0x1.fffffefffffffp+127;
    require_real(json, is_float ? std::numeric_limits<float>::denorm_min() : 0.0,
                 is_float ? highest_for_float : std::numeric_limits<double>::max(), typeid(T));
  } else if constexpr (std::is_enum_v<T>) {
    // Written as a number, unless the user gave it names.
    if (nlohmann::json(T()).is_number()) require_fit<std::underlying_type_t<T>>(json);
  } else if constexpr (kIsList<T>) {
    if (!json.is_array()) return;
    for (const nlohmann::json& part : json) require_fit<std::remove_cv_t<typename T::value_type>>(part);
  } else if constexpr (kIsMap<T>) {
    if constexpr (std::is_convertible_v<typename T::key_type, std::string>) {
      if (!json.is_object()) return;
      for (const nlohmann::json& part : json) require_fit<typename T::mapped_type>(part);
    } else {
      if (!json.is_array()) return;
      for (const nlohmann::json& part : json)
        require_fit<std::pair<typename T::key_type, typename T::mapped_type>>(part);
    }
  } else if constexpr (FixedList<T>::kIs) {
    if (!json.is_array()) return;
    require_length(json, std::tuple_size_v<T>);
    [&json]<std::size_t... I>(std::index_sequence<I...>) {
      (require_fit<std::remove_cv_t<std::tuple_element_t<I, T>>>(json[I]), ...);
    }
    (std::make_index_sequence<std::tuple_size_v<T>>());
  }
}

/// For types of users, whose `from_json` converts without checks: `written` is the JSON that they make of
/// `read`. Throws `std::invalid_argument` if a number in it was cut to fewer bits, or a fraction was cut off.
/// A 0 instead of a number whose lowest 8 or 16 bits are 0 is accepted, because a type may reset a number on
/// purpose.
TG_EXPORT void require_uncut(const nlohmann::json& read, const nlohmann::json& written);

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Values as text for people: dumps, iteration, explanations.
#pragma once

#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>

namespace tg::detail {

/// The name of a type as it is written in a program.
std::string readable_type_name(const std::type_info& type);

/// The value through its `operator<<`, or the name of its type where there is none.
template <class T>
std::string printable_value(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return std::string(std::string_view(value));
  } else if constexpr (requires(std::ostream & out) { out << value; }) {
    std::ostringstream out;
    out << value;
    return out.str();
  } else {
    return readable_type_name(typeid(T));
  }
}

}  // namespace tg::detail

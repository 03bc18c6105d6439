// SPDX-License-Identifier: Apache-2.0
// The demangler.
#include <threadgroup/detail/type_name.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string_view>

namespace tg::detail {

namespace {
// The standard library's inner name of `std::string` is four times as long and says nothing more.
constexpr std::string_view kInnerString =
    "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >";
}  // namespace

std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  if (status != 0) return type.name();
  std::string text = name.get();
  for (std::size_t at = text.find(kInnerString); at != std::string::npos; at = text.find(kInnerString, at))
    text.replace(at, kInnerString.size(), "std::string");
  return text;
}

}  // namespace tg::detail

// SPDX-License-Identifier: Apache-2.0
// The demangler.
#include <threadgroup/detail/type_name.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string_view>

namespace tg::inline v0::detail {

namespace {
// The standard library's inner name of `std::string` is four times as long and says nothing more.
constexpr std::string_view kInnerString =
    "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >";
constexpr std::string_view kAbi = "tg::v0::";  // which users never write

void replace_all(std::string& text, std::string_view old, std::string_view now) {
  for (std::size_t at = text.find(old); at != std::string::npos; at = text.find(old, at + now.size()))
    text.replace(at, old.size(), now);
}
}  // namespace

std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  if (status != 0) return type.name();
  std::string text = name.get();
  replace_all(text, kInnerString, "std::string");
  replace_all(text, kAbi, "tg::");
  return text;
}

}  // namespace tg::inline v0::detail

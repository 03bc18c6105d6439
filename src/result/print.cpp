// SPDX-License-Identifier: Apache-2.0
// The leaves of printing: numbers, what goes through a stream, and names of types.
#include <cxxabi.h>
#include <fmt/format.h>

#include <cstdlib>
#include <iterator>
#include <memory>
#include <sstream>

#include <threadgroup/result/print.hpp>

namespace tg::detail {

void print_integer(std::string& out, long long value) {
  fmt::format_to(std::back_inserter(out), "{}", value);
}
void print_integer(std::string& out, unsigned long long value) {
  fmt::format_to(std::back_inserter(out), "{}", value);
}
void print_floating(std::string& out, float value) { fmt::format_to(std::back_inserter(out), "{}", value); }
void print_floating(std::string& out, double value) { fmt::format_to(std::back_inserter(out), "{}", value); }
void print_floating(std::string& out, long double value) {
  fmt::format_to(std::back_inserter(out), "{}", value);
}

void print_streamed(std::string& out, FunctionRef<void(std::ostream&)> write) {
  std::ostringstream stream;
  write(stream);
  out += stream.view();
}

std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  if (status != 0) return type.name();
  std::string text = name.get();
  // The library's inner name of std::string is four times as long and says nothing more.
  for (const std::string_view inner : {std::string_view(
           "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >")}) {
    for (std::size_t at = text.find(inner); at != std::string::npos; at = text.find(inner, at))
      text.replace(at, inner.size(), "std::string");
  }
  return text;
}

}  // namespace tg::detail

// SPDX-License-Identifier: Apache-2.0
// The leaves of printing: numbers, and what goes through a stream.
#include <threadgroup/print.hpp>

#include <iterator>
#include <sstream>

#include <fmt/format.h>

namespace tg::inline v0::detail {

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

}  // namespace tg::inline v0::detail

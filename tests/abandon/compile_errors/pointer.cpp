// SPDX-License-Identifier: Apache-2.0
// Does not compile: an argument is a string of its caller.
#include <threadgroup/abandonable.hpp>

std::size_t try_it(const char* text) {
  return tg::abandonable([](const std::string& t) { return t.size(); }, text);
}

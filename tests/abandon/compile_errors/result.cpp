// SPDX-License-Identifier: Apache-2.0
// Does not compile: no caller would free the result of an abandoned call.
#include <threadgroup/abandonable.hpp>

#include <cstdio>

std::FILE* try_it(const std::string& path) {
  return tg::abandonable([](const std::string& p) { return std::fopen(p.c_str(), "r"); }, path);
}

// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry: preset `fuzz`, run by ./dev sanitize.
#include "loader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  tg::fuzz::one_input(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}

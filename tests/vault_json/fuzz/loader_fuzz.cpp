// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry: preset `fuzz`, run by ./dev sanitize.
#include "loader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  // The same bytes serve as a file and as values to be written.
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  tg::fuzz::one_input(bytes);
  tg::fuzz::check_codecs(bytes);
  return 0;
}

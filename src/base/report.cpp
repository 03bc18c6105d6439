// SPDX-License-Identifier: Apache-2.0
// Lines on stderr.
#include "base/report.hpp"

#include <cstdio>
#include <new>
#include <string>

#include <threadgroup/detail/atomic.hpp>

#include "base/escaped.hpp"

namespace tg::inline v0::detail {

void report_line(std::initializer_list<std::string_view> parts) noexcept {
  try {
    std::string text = "threadgroup: ";
    for (const std::string_view part : parts) text += escaped(part);
#if defined(TG_SIMULATION)
    return say(text);
#endif
    text += '\n';
    std::fputs(text.c_str(), stderr);
  } catch (const std::bad_alloc&) {
    std::fputs("threadgroup: ", stderr);
    for (const std::string_view part : parts) {
      for (const char c : part) std::fputc(c >= 0x20 && c < 0x7F ? c : '?', stderr);
    }
    std::fputc('\n', stderr);
  }
}

}  // namespace tg::inline v0::detail

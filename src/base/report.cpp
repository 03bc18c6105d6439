// SPDX-License-Identifier: Apache-2.0
// Lines on stderr.
#include "base/report.hpp"

#include <cstdio>
#include <new>
#include <string>

#include <threadgroup/detail/atomic.hpp>

#include "base/escaped.hpp"

namespace tg::inline v0::detail {

constinit ReportTaker report_taker = nullptr;

void report_lines(std::string_view lines) noexcept {
  if (report_taker != nullptr && report_taker(lines)) return;
  std::fwrite(lines.data(), 1, lines.size(), stderr);
}

void report_line(std::initializer_list<std::string_view> parts) noexcept {
  try {
    std::string text = "threadgroup: ";
    for (const std::string_view part : parts) text += escaped(part);
    text += '\n';
    report_lines(text);
  } catch (const std::bad_alloc&) {
    std::fputs("threadgroup: ", stderr);
    for (const std::string_view part : parts) {
      for (const char c : part) std::fputc(c >= 0x20 && c < 0x7F ? c : '?', stderr);
    }
    std::fputc('\n', stderr);
  }
}

}  // namespace tg::inline v0::detail

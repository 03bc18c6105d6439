// SPDX-License-Identifier: Apache-2.0
// Walking a stack, and asking addr2line.
#include "sim/places.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

// The linker's name, which a shared library does not have.
extern "C" [[gnu::weak]] const char __executable_start;  // NOLINT(bugprone-reserved-identifier)

namespace tg::inline v0::sim {

std::vector<const void*> calls_from(const void* frame, const std::byte* low, std::size_t bytes) {
  std::vector<const void*> calls;
  const std::byte* at = static_cast<const std::byte*>(frame);
  while (at >= low && at + 2 * sizeof(void*) <= low + bytes) {
    const auto* const words = reinterpret_cast<const std::byte* const*>(at);
    if (words[1] == nullptr) break;
    calls.push_back(words[1] - 1);  // within the call
    if (words[0] <= at) break;
    at = words[0];
  }
  return calls;
}

namespace {

// One of the lines "FUNCTION at FILE:LINE" of addr2line, shortened; empty if it says little.
std::string shortened(std::string_view line) {
  const std::size_t at = line.rfind(" at ");
  if (at == std::string_view::npos || line.find("??") != std::string_view::npos) return {};
  std::string_view function = line.substr(0, at);
  std::string_view file = line.substr(at + 4);
  constexpr std::string_view kInlined = "(inlined by) ";
  if (function.starts_with(kInlined)) function.remove_prefix(kInlined.size());
  if (const std::size_t arguments = function.find('('); arguments != std::string_view::npos && arguments > 0)
    function = function.substr(0, arguments);
  if (const std::size_t scope = function.rfind("v0::"); scope != std::string_view::npos)
    function.remove_prefix(scope + 4);
  if (const std::size_t folder = file.rfind('/'); folder != std::string_view::npos)
    file.remove_prefix(folder + 1);
  if (const std::size_t space = file.find(' '); space != std::string_view::npos) file = file.substr(0, space);
  if (file.starts_with("atomic.hpp:") || file.starts_with("mutex.hpp:")) return {};
  return std::string(file) + "  " + std::string(function);
}

}  // namespace

Places::Places(const std::vector<const void*>& addresses) {
  std::vector<const void*> wanted;
  for (const void* address : addresses)
    if (address != nullptr) wanted.push_back(address);
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  if (wanted.empty() || &__executable_start == nullptr) return;
  std::array<char, 4096> path{};
  if (::readlink("/proc/self/exe", path.data(), path.size() - 1) <= 0) return;
  std::string command = "addr2line -Cfipe '" + std::string(path.data()) + "' 2>/dev/null";
  for (const void* address : wanted) {
    std::array<char, 32> number{};
    // The executable may be linked to any address; what the debug information knows begins at zero.
    const auto offset = static_cast<const char*>(address) - &__executable_start;
    std::snprintf(number.data(), number.size(), " %#tx", offset);
    command += number.data();
  }
  std::FILE* const lines = ::popen(command.c_str(), "r");
  if (lines == nullptr) return;
  std::array<char, 8192> line{};
  std::size_t next = 0;
  while (std::fgets(line.data(), static_cast<int>(line.size()), lines) != nullptr) {
    std::string_view text(line.data());
    if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    const bool is_caller = text.starts_with(" (inlined by)");
    if (!is_caller && next < wanted.size()) known_.emplace_back(wanted[next++], std::string());
    if (known_.empty()) break;
    if (is_caller) text.remove_prefix(1);
    if (known_.back().second.empty()) known_.back().second = shortened(text);
  }
  ::pclose(lines);
}

std::string Places::operator[](const void* address) const {
  for (const auto& [known, text] : known_)
    if (known == address) return text;
  return {};
}

}  // namespace tg::inline v0::sim

// SPDX-License-Identifier: Apache-2.0
// Locations in the source as text.
#include <threadgroup/source_location.hpp>

#include <string_view>

namespace tg {
inline namespace v0 {

std::string to_string(const SourceLocation& where) {
  if (where.line == 0) return {};
  const std::string_view path = where.file;
  return std::string(path.substr(path.rfind('/') + 1)) + ":" + std::to_string(where.line);
}

}  // namespace v0
}  // namespace tg

// SPDX-License-Identifier: Apache-2.0
// CSV as RFC 4180 has it, one record at a time, with the line where each record begins.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verify_users {

struct CsvRecord {
  std::size_t line;
  std::vector<std::string> fields;
};

// Fields may be quoted, then they may hold commas, doubled quotes and line breaks; lines end in LF or CRLF.
// Blank lines are skipped. Throws BadInput, naming file and line, where quotes do not match.
class CsvReader {
 public:
  CsvReader(std::string_view text, std::string file) : rest_(text), file_(std::move(file)) {}

  std::optional<CsvRecord> next();

 private:
  std::string take_field();
  std::string take_quoted();
  bool take(std::string_view token);

  std::string_view rest_;
  std::string file_;
  std::size_t line_ = 1;
};

}  // namespace verify_users

// SPDX-License-Identifier: Apache-2.0
// The CSV reader.
#include "csv.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "bad_input.hpp"

namespace verify_users {

bool CsvReader::take(std::string_view token) {
  if (!rest_.starts_with(token)) return false;
  rest_.remove_prefix(token.size());
  return true;
}

std::optional<CsvRecord> CsvReader::next() {
  while (take("\n") || take("\r\n")) ++line_;
  if (rest_.empty()) return std::nullopt;

  CsvRecord record{line_, {}};
  do record.fields.push_back(take_field());
  while (take(","));
  if (!rest_.empty() && !take("\n") && !take("\r\n") && rest_ != "\r") {
    throw BadInput(fmt::format("{}:{}: text after the closing quote of a field", file_, line_));
  }
  if (rest_ == "\r") rest_ = {};
  ++line_;
  return record;
}

std::string CsvReader::take_field() {
  if (take("\"")) return take_quoted();
  std::string_view field = rest_.substr(0, rest_.find_first_of(",\n"));
  const bool ends_line = field.size() == rest_.size() || rest_[field.size()] == '\n';
  if (ends_line && field.ends_with('\r')) field.remove_suffix(1);
  if (field.find('"') != std::string_view::npos) {
    throw BadInput(fmt::format("{}:{}: a quote inside a field that does not begin with one", file_, line_));
  }
  rest_.remove_prefix(field.size());
  return std::string(field);
}

std::string CsvReader::take_quoted() {
  const std::size_t opened_on = line_;
  std::string field;
  for (;;) {
    const std::size_t quote = rest_.find('"');
    if (quote == std::string_view::npos) {
      throw BadInput(fmt::format("{}:{}: a quote is opened here and never closed", file_, opened_on));
    }
    const std::string_view part = rest_.substr(0, quote);
    line_ += static_cast<std::size_t>(std::ranges::count(part, '\n'));
    field += part;
    rest_.remove_prefix(quote + 1);
    if (!take("\"")) return field;
    field += '"';
  }
}

}  // namespace verify_users

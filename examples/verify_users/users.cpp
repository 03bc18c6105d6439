// SPDX-License-Identifier: Apache-2.0
// Reading the file of users.
#include "users.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bad_input.hpp"
#include "csv.hpp"

namespace verify_users {
namespace {

[[noreturn]] void fail_at(const std::string& file, std::size_t line, const std::string& what) {
  throw BadInput(fmt::format("{}:{}: {}", file, line, what));
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The users read so far; each has a name, and no name is there twice.
class Users {
 public:
  explicit Users(std::string file) : file_(std::move(file)) {}

  void add(std::string_view user, std::size_t line) {
    if (user.empty()) fail_at(file_, line, "the user's name is empty");
    // A name goes into a URL and onto a terminal: a control character in it is a broken or a hostile file.
    const auto is_control = [](char c) { return std::iscntrl(static_cast<unsigned char>(c)) != 0; };
    if (std::ranges::any_of(user, is_control))
      fail_at(file_, line, "the user's name holds a control character");
    const auto [first, is_new] = first_line_.try_emplace(std::string(user), line);
    if (!is_new) fail_at(file_, line, fmt::format("user '{}' again, first on line {}", user, first->second));
    names_.emplace_back(user);
  }

  std::vector<std::string> take() {
    if (names_.empty()) throw BadInput(fmt::format("{}: no users in this file", file_));
    return std::move(names_);
  }

 private:
  std::string file_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::size_t> first_line_;
};

std::vector<std::string> parse_passwd(std::string_view text, const std::string& file) {
  Users users(file);
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    line = trimmed(line);
    // '+' and '-' are NIS entries: they refer to users that are kept elsewhere.
    if (line.empty() || line.starts_with('#') || line.starts_with('+') || line.starts_with('-')) continue;
    const std::vector<std::string_view> fields = split(line, ':');
    if (fields.size() != 7) {
      fail_at(file, number,
              fmt::format("a passwd line has 7 fields separated by ':', this one has {}", fields.size()));
    }
    if (!is_number(fields[2]))
      fail_at(file, number, fmt::format("the user id '{}' is not a number", fields[2]));
    if (!is_number(fields[3]))
      fail_at(file, number, fmt::format("the group id '{}' is not a number", fields[3]));
    users.add(fields[0], number);
  }
  return users.take();
}

std::vector<std::string> trimmed_fields(const CsvRecord& record) {
  std::vector<std::string> fields;
  for (const std::string& field : record.fields) fields.emplace_back(trimmed(field));
  return fields;
}

std::size_t user_column(const CsvRecord& header, const std::string& file) {
  const std::vector<std::string> names = trimmed_fields(header);
  const auto found = std::ranges::find(names, "user");
  if (found == names.end()) {
    fail_at(file, header.line,
            fmt::format("no column is named 'user', only: {} (neither a CSV header nor a passwd line)",
                        fmt::join(names, ", ")));
  }
  if (std::ranges::count(names, "user") > 1) fail_at(file, header.line, "two columns are named 'user'");
  return static_cast<std::size_t>(found - names.begin());
}

UserTable parse_csv(std::string_view text, const std::string& file) {
  CsvReader reader(text, file);
  const std::optional<CsvRecord> header = reader.next();
  if (!header) throw BadInput(fmt::format("{}: the file is empty", file));
  const std::size_t column = user_column(*header, file);

  Users users(file);
  UserTable table{trimmed_fields(*header), {}};
  while (const std::optional<CsvRecord> record = reader.next()) {
    if (record->fields.size() != header->fields.size()) {
      fail_at(
          file, record->line,
          fmt::format("{} fields, but the header names {}", record->fields.size(), header->fields.size()));
    }
    std::vector<std::string> cells = trimmed_fields(*record);
    users.add(cells[column], record->line);
    table.rows.push_back({cells[column], record->line, std::move(cells)});
  }
  (void)users.take();  // refuses a file without users
  return table;
}

// Only a passwd line has colons where a CSV header would have commas.
bool looks_like_passwd(std::string_view text, const std::string& file) {
  if (file.ends_with(".csv")) return false;
  for (std::string_view line : split(text, '\n')) {
    line = trimmed(line);
    if (line.empty() || line.starts_with('#')) continue;
    return line.find(':') < line.find_first_of(",\"") || line.starts_with('+') || line.starts_with('-');
  }
  return false;
}

std::string_view content_of(std::string_view text, const std::string& file) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // spreadsheets write a byte order mark
  if (trimmed(text).empty()) throw BadInput(fmt::format("{}: the file is empty", file));
  return text;
}

std::string read_file(const std::string& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) throw BadInput(fmt::format("{}: is a directory", file));
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) throw BadInput(fmt::format("{}: cannot be opened: {}", file, std::strerror(errno)));
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) throw BadInput(fmt::format("{}: cannot be read: {}", file, std::strerror(errno)));
  return text;
}

}  // namespace

std::vector<std::string> parse_users(std::string_view text, const std::string& file) {
  text = content_of(text, file);
  if (looks_like_passwd(text, file)) return parse_passwd(text, file);
  std::vector<std::string> users;
  for (UserTable::Row& row : parse_csv(text, file).rows) users.push_back(std::move(row.user));
  return users;
}

std::vector<std::string> read_users(const std::string& file) { return parse_users(read_file(file), file); }

UserTable read_user_table(const std::string& file) {
  const std::string text = read_file(file);
  return parse_csv(content_of(text, file), file);
}

}  // namespace verify_users

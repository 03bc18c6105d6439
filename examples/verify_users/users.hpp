// SPDX-License-Identifier: Apache-2.0
// Which users to verify: read from a passwd file, or from a CSV file whose header names a `user` column.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace verify_users {

// In the order of the file. Throws BadInput, naming the file and where possible the line: the file cannot be
// read, is empty, has no `user` column, has a malformed line, or names a user twice.
std::vector<std::string> read_users(const std::string& file);

// The same from memory; `file` is only the name in messages and a hint (.csv) for the format.
std::vector<std::string> parse_users(std::string_view text, const std::string& file);

// A CSV file of users with all its columns. Cells and names of columns are trimmed.
struct UserTable {
  struct Row {
    std::string user;
    std::size_t line;
    std::vector<std::string> cells;  // as many as there are columns
  };
  std::vector<std::string> columns;
  std::vector<Row> rows;
};

// Throws BadInput as read_users does.
UserTable read_user_table(const std::string& file);

}  // namespace verify_users

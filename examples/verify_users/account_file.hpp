// SPDX-License-Identifier: Apache-2.0
// Accounts from a CSV file, so that any list of names can be verified without a real service.
#pragma once

#include <string>

#include "accounts.hpp"

namespace verify_users {

// Answers from a CSV file whose header names a `user` column and, if wanted, `home` and `login`: a cell there
// is yes, no or empty, and empty means yes. A user that the file does not name has no account. The file is
// read now. Throws BadInput, naming the file and the line, for a file that read_users would refuse, and for
// any other word in one of these columns.
LookUp accounts_of(const std::string& file);

}  // namespace verify_users

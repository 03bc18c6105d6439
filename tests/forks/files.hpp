// SPDX-License-Identifier: Apache-2.0
// Vaults that are kept in files: in the script, and in a forked child.
#pragma once

namespace tg::forks {

/// The script's part: vaults in a file of each kind, which the children inherit, and then ones of its own.
/// Nothing is done where the library is built without `vault_json`.
void make_inherited_files();
void use_files();
/// Removes the files, also after a failure. False if one of them does not hold what the script stored last,
/// or holds what a child stored.
bool check_and_remove_files();

/// The child's part: what the inherited ones do, and that new ones work.
void touch_inherited_files();
void touch_new_files();

}  // namespace tg::forks

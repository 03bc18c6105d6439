// SPDX-License-Identifier: Apache-2.0
// Operations of the library from its first use on, with a fork inside each.
#pragma once

namespace tg::forks {

/// Forks everywhere in the script, prints how often, and ends the process: with status 0 if each child did
/// what it should.
[[noreturn]] void run_script();

}  // namespace tg::forks

// SPDX-License-Identifier: Apache-2.0
// All vaults of the process, for forks.
#pragma once

#include <threadgroup/detail/vault/core.hpp>

namespace tg::inline v0::detail {

/// The list of the vaults that exist. Around every fork the locks of all of them are held, so that the child
/// inherits them free and the vaults whole.
///
/// The list's lock is taken first and the vaults' locks in the order of the list; nothing else takes a second
/// one.
/// Thread safety: everything from any thread.
class LiveVaults {
 public:
  static void add(VaultCore& vault) noexcept;
  static void remove(VaultCore& vault) noexcept;
  /// Called once, while the library is loaded.
  static void hold_across_forks();

 private:
  template <class Visit>
  static void visit_all(Visit visit) noexcept;
};

}  // namespace tg::inline v0::detail

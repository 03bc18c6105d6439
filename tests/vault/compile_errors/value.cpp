// SPDX-License-Identifier: Apache-2.0
// Does not compile: the value does not fit the key.
#include <threadgroup/vault.hpp>

void try_it(tg::Vault& vault, const tg::Key<int>& a, const tg::Key<std::string>& b) {
  static_cast<void>(b);
  vault.insert(a, 3.14);
}

// SPDX-License-Identifier: Apache-2.0
// Does not compile: a parameter does not fit its input key.
#include <threadgroup/vault.hpp>

void try_it(tg::Vault& vault, const tg::Key<int>& a, const tg::Key<std::string>& b) {
  static_cast<void>(b);
  static_cast<void>(vault.bind(tg::inputs(b), tg::outputs(), [](int) {}));
}

// SPDX-License-Identifier: Apache-2.0
// Does not compile: the function must have exactly one parameter for each key.
#include <threadgroup/vault.hpp>

void try_it(tg::Vault& vault, const tg::Key<int>& a, const tg::Key<std::string>& b) {
  static_cast<void>(b);
  static_cast<void>(vault.bind(tg::inputs(a, b), tg::outputs(), [](int) {}));
}

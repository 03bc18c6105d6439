// SPDX-License-Identifier: Apache-2.0
// Does not compile: the tuple that the function returns must have exactly one element.
#include <threadgroup/vault.hpp>

void try_it(tg::Vault& vault, const tg::Key<int>& a, const tg::Key<std::string>& b) {
  static_cast<void>(b);
  static_cast<void>(vault.bind(tg::inputs(), tg::outputs(a, b), [] { return std::tuple(1); }));
}

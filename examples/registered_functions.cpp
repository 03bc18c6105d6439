// SPDX-License-Identifier: Apache-2.0
// Functions that are registered with a group, run together, and their results.
#include <iostream>
#include <tuple>

#include <threadgroup/threadgroup.hpp>

int main() {
  tg::ThreadGroup group("functions");
  group.register_function(
      "f1", [](int a1) { return a1; }, 1);
  group.register_function(
      "f2", [](int a2) { return a2; }, 2);
  group.register_function(
      "f3", [](int a1, bool kw1) { return std::tuple(a1, kw1); }, 1, true);
  std::cout << group.execute() << '\n';

  group.update_fn_args("f1", 10);
  std::cout << group.execute().get("f1") << '\n';
}

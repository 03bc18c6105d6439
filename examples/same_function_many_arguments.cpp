// SPDX-License-Identifier: Apache-2.0
// The same function at the same time with many arguments: results in order.
#include <iostream>
#include <vector>

#include <threadgroup/threadgroup.hpp>

int main() {
  std::vector<tg::Function> functions;
  for (int value : {1, 2, 3, 4, 5}) {
    functions.push_back(tg::create_function(
        "f1", [](int a1) { return a1; }, value));
  }
  std::cout << tg::threaded_execution(functions) << '\n';
}

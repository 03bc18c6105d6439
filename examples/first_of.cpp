// SPDX-License-Identifier: Apache-2.0
// The first answer wins, and the others are stopped; then the first two of three.
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <threadgroup/threadgroup.hpp>
using namespace std::chrono_literals;

std::string broken_mirror() { throw std::runtime_error("connection refused"); }
std::string near_mirror() { return "the page, from the near mirror"; }
std::string far_mirror() {
  tg::thread_utils::event_aware_sleep(1h);  // ends as soon as another one has won
  return "the page, from the far mirror";
}

int main() {
  std::cout << tg::first_of(broken_mirror, near_mirror, far_mirror) << '\n';

  const std::vector<std::function<std::string()>> mirrors{near_mirror, far_mirror, near_mirror};
  std::cout << tg::quorum(2, mirrors).size() << " mirrors agree\n";

  try {
    tg::first_of(broken_mirror, broken_mirror);
  } catch (const tg::FunctionFailures& failures) {
    std::cout << failures.what() << '\n';
  }
}

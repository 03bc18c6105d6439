// SPDX-License-Identifier: Apache-2.0
// A static initializer of the program uses the library: a bound function receives the token of its group.
#include <stop_token>

#include <threadgroup/threadgroup.hpp>

namespace {

const tg::Key<int> answer{"answer"};

const bool token_can_be_stopped = [] {
  tg::Vault vault("early", {answer});
  tg::ThreadGroup group("early");
  bool possible = false;
  group
      .add_task(vault.bind(tg::outputs(answer),
                           [&possible](std::stop_token token) {
                             possible = token.stop_possible();
                             return 42;
                           }))
      .get();
  return possible && vault.get(answer) == 42;
}();

}  // namespace

int main() { return token_can_be_stopped ? 0 : 1; }

// SPDX-License-Identifier: Apache-2.0
// Does not compile: the callable refers to a variable of its caller.
#include <threadgroup/abandonable.hpp>

int try_it(int& count) {
  return tg::abandonable([&count] { return ++count; });
}

// SPDX-License-Identifier: Apache-2.0
// A user's program with interpose: a scope ends a `read` inside libstdc++.
#include <threadgroup/threadgroup.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

int main() {
  int ends[2] = {};
  if (::pipe(ends) != 0) return 1;
  std::ifstream silent("/proc/self/fd/" + std::to_string(ends[0]));
  const tg::StopScope scope(std::chrono::milliseconds(50));
  char byte = 0;
  silent.get(byte);
  std::printf("the read has %s\n", silent ? "read" : "ended");
  return !silent && scope.timed_out() ? 0 : 1;
}

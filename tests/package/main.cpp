// SPDX-License-Identifier: Apache-2.0
// The program of all three consumers: what the installed header, library and version say must fit together.
#include <threadgroup/threadgroup.hpp>

#include <cstdio>

static_assert(TG_VERSION >= 100, "the installed version macro is readable");

int main() {
  tg::ThreadGroup group("consumer");
  auto answer = group.add_task([] { return 42; });
  if (!group.join()) return 1;
  std::printf("threadgroup %d.%d.%d answers %d\n", TG_VERSION_MAJOR, TG_VERSION_MINOR, TG_VERSION_PATCH,
              answer.get());
  return answer.get() == 42 ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// A task of a group, and a join or a get from outside any task.
#include <threadgroup/threadgroup.hpp>

#include "work.hpp"

void bench::run(const Options& options) {
  tg::ThreadGroup group("help");
  time_help(
      options,
      [&] {
        group.post([] {});
        static_cast<void>(group.join());
      },
      [&] { return group.add_task([] { return 1; }).get(); });
}

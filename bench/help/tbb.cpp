// SPDX-License-Identifier: Apache-2.0
// A task of a oneTBB task group, and a wait, which runs the task.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>

#include "work.hpp"

void bench::run(const Options& options) {
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, 2);
  oneapi::tbb::task_group group;
  time_help(
      options,
      [&] {
        group.run([] {});
        group.wait();
      },
      [&] {
        int result = 0;
        group.run([&result] { result = 1; });
        group.wait();
        return result;
      });
}

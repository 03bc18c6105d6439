// SPDX-License-Identifier: Apache-2.0
// The progress of a group: a line on the terminal while it works, and an observer of your own.
#include <cstdio>
#include <stdexcept>

#include <threadgroup/threadgroup.hpp>
using namespace std::chrono_literals;

int main() {
  tg::ThreadGroup group("download", {.max_concurrent_threads = 4});
  for (int file = 1; file <= 40; ++file) {
    group.register_function("download", [file] {
      tg::thread_utils::event_aware_sleep(20ms);
      if (file == 13) throw std::runtime_error("not found");
    });
  }
  {
    const tg::ProgressReporter reporter(group, tg::progress_line(stdout), {.expected = 40});
    group.execute_results();
  }

  tg::Progress last;
  {
    const tg::ProgressReporter reporter(group, [&last](const tg::Progress& now) { last = now; });
    group.execute_results();
  }
  std::printf("the second time: %d of %d, %d failed\n", static_cast<int>(last.done),
              static_cast<int>(last.total), static_cast<int>(last.failed));
}

// SPDX-License-Identifier: Apache-2.0
// The same of oneTBB contexts, each bound below its parent by the one empty task that binding needs.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>

#include <memory>

#include "shape.hpp"

void bench::run(const Options& options) {
  using namespace oneapi::tbb;
  const TreeSize size(options);
  global_control limit(global_control::max_allowed_parallelism, 2);
  std::vector<std::unique_ptr<task_group_context>> nodes;
  nodes.push_back(std::make_unique<task_group_context>(task_group_context::isolated));
  make_tree(size.nodes, size.width, [&](std::int64_t parent) {
    nodes.push_back(std::make_unique<task_group_context>());
    task_group in_parent(*nodes[static_cast<std::size_t>(parent)]);
    in_parent.run_and_wait([&] {
      task_group in_child(*nodes.back());
      in_child.run_and_wait([] {});
    });
  });
  const Stopwatch watch;
  nodes.front()->cancel_group_execution();
  report("ms", watch.milliseconds());
  if (!nodes.back()->is_group_execution_cancelled()) std::abort();
  while (!nodes.empty()) nodes.pop_back();
}

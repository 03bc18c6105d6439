// SPDX-License-Identifier: Apache-2.0
// A tree of groups is stopped at its root. The nodes are linked as if each had been made in a task of
// its parent.
#include <threadgroup/threadgroup.hpp>

#include <memory>

#include "group/group_core.hpp"
#include "shape.hpp"
#include "tree/forest.hpp"
#include "tree/task_context.hpp"

void bench::run(const Options& options) {
  using tg::detail::GroupCore;
  const TreeSize size(options);
  auto& forest = tg::detail::Forest::instance();
  auto& here = tg::runtime::Flow::current();
  std::vector<GroupCore*> nodes;
  nodes.reserve(static_cast<std::size_t>(size.nodes));
  nodes.push_back(new GroupCore("root", {}));
  forest.link(*nodes.front());
  tg::detail::TaskContext context;
  here.task = &context;  // we are a task of the parent while we make the child
  make_tree(size.nodes, size.width, [&](std::int64_t parent) {
    context.node = nodes[static_cast<std::size_t>(parent)];
    nodes.push_back(new GroupCore("node", {}));
    forest.link(*nodes.back());
  });
  here.task = nullptr;
  const Stopwatch watch;
  forest.set_event(*nodes.front(), tg::Reason{});
  report("ms", watch.milliseconds());
  for (GroupCore* node : nodes) {
    if (!node->event().is_set()) std::abort();
  }
  while (!nodes.empty()) {
    nodes.back()->release();
    nodes.pop_back();
  }
}

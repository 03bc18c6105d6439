// SPDX-License-Identifier: Apache-2.0
// The same of stop sources, linked by callbacks. A chain of more than some 100,000 overflows the stack.
#include <memory>
#include <stop_token>

#include "shape.hpp"

namespace {
struct Forward {
  std::stop_source* child;
  void operator()() const { child->request_stop(); }
};
struct Node {
  std::stop_source source;
  std::unique_ptr<std::stop_callback<Forward>> link;
};
}  // namespace

void bench::run(const Options& options) {
  const TreeSize size(options);
  std::vector<std::unique_ptr<Node>> nodes;
  nodes.push_back(std::make_unique<Node>());
  make_tree(size.nodes, size.width, [&](std::int64_t parent) {
    nodes.push_back(std::make_unique<Node>());
    Node& child = *nodes.back();
    child.link = std::make_unique<std::stop_callback<Forward>>(
        nodes[static_cast<std::size_t>(parent)]->source.get_token(), Forward{&child.source});
  });
  const Stopwatch watch;
  nodes.front()->source.request_stop();
  report("ms", watch.milliseconds());
  if (!nodes.back()->source.stop_requested()) std::abort();
  while (!nodes.empty()) nodes.pop_back();
}

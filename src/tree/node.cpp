// SPDX-License-Identifier: Apache-2.0
// A node's birth and death.
#include "tree/node.hpp"

#include <threadgroup/snapshot.hpp>

#include "tree/forest.hpp"

namespace tg::inline v0::detail {

Node::Node(std::string&& name, NodeKind kind, bool time_limited)
    : kind_(kind), time_limited_(time_limited), name_(std::move(name)) {}

Node::~Node() {
  if (core_ != nullptr) Forest::instance().reclaim(core_);
}

std::string Node::shown_name() const {
  if (!name_.empty()) return name_;
  return (kind_ == NodeKind::shield ? "Shield-" : "StopScope-") + std::to_string(id_.value);
}

void Node::destroy() noexcept {
  on_last_reference();
  // Before any part of it is destroyed: other flows may be reading it under the forest's lock. After the
  // unlink no flow finds it any more.
  if (linked_) Forest::instance().unlink(*this);
  delete this;
}

}  // namespace tg::inline v0::detail

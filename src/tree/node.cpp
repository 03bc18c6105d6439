// SPDX-License-Identifier: Apache-2.0
// A node's birth and death.
#include "tree/node.hpp"

#include <threadgroup/snapshot.hpp>

#include "tree/forest.hpp"
#include "tree/stop_source.hpp"
#include "tree/subtree_bound.hpp"

namespace tg::inline v0::detail {

Node::Node(std::string&& name, NodeKind kind, bool time_limited)
    : time_limited_(time_limited), passes_limits_on_(time_limited), kind_(kind), name_(std::move(name)) {}

Node::~Node() {
  if (core_ != nullptr) Forest::instance().reclaim(core_);
}

std::stop_token Node::stop_token() {
  StopSource* const source = stop_source();
  return source != nullptr ? source->token(event()) : std::stop_token();
}

std::string Node::shown_name() const {
  if (!name_.empty()) return name_;
  return (kind_ == NodeKind::shield ? "Shield-" : "StopScope-") + std::to_string(id_.value);
}

SubtreeBound* Node::bound_of_claim() const noexcept { return &claim_->of_group.first(); }

void Node::bound_subtree(std::size_t most) {
  const auto release = [](SubtreeBound* bound) { bound->release(); };
  std::unique_ptr<SubtreeBound, decltype(release)> bound(new SubtreeBound(most));
  claim_ = std::make_unique<SubtreeClaim>(*bound, *this);
  static_cast<void>(bound.release());  // the claim has it
  is_limited_ = passes_limits_on_ = true;
}

void Node::inherit_limits(const Node& parent) {
  SubtreeBound* const above = parent.subtree_bound();
  if (above != nullptr && claim_ != nullptr) claim_->of_group.first().put_below(*above);
  if (above != nullptr && claim_ == nullptr) {
    claim_ = std::make_unique<SubtreeClaim>(*above, *this);
    above->add_reference();
    is_limited_ = true;
  }
  if (parent.time_limited_) time_limited_ = true;
  passes_limits_on_ = true;
}

void Node::destroy() noexcept {
  on_last_reference();
  // Before any part of it is destroyed: other flows may be reading it under the forest's lock. After the
  // unlink no flow finds it any more.
  if (linked_) Forest::instance().unlink(*this);
  delete this;
}

}  // namespace tg::inline v0::detail

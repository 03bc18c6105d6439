// SPDX-License-Identifier: Apache-2.0
// Bare nodes for tests of the forest: groups without a pool, and tasks that run nowhere.
#pragma once

#include <atomic>
#include <string>
#include <utility>

#include "runtime/flow.hpp"
#include "tree/forest.hpp"
#include "tree/node.hpp"
#include "tree/stop_source.hpp"
#include "tree/task_context.hpp"

namespace tg::test {

/// A node that says what happens to it.
class BareNode final : public detail::Node {
 public:
  explicit BareNode(std::string name, NodeKind kind = NodeKind::group, bool time_limited = false)
      : Node(std::move(name), kind, time_limited) {
    ++alive;
  }
  void on_event_set() noexcept override {
    ++notices;
    followers.request_stop(*this);
  }
  detail::StopSource* stop_source() noexcept override { return &followers; }
  void on_last_reference() noexcept override { ++goodbyes; }
  GroupStatistics statistics() const override { return counts; }
  std::size_t slots() const noexcept override { return slot_count; }

  GroupStatistics counts;
  std::size_t slot_count = 32;
  detail::StopSource followers;
  std::atomic<int> notices{0};
  inline static std::atomic<int> alive{0};
  inline static std::atomic<int> goodbyes{0};

 private:
  ~BareNode() override { --alive; }
};

/// For a scope, the calling flow runs a task of the node.
class Inside {
 public:
  explicit Inside(detail::Node& node)
      : before_(runtime::Flow::current().task), event_before_(runtime::Flow::current().event) {
    context_.node = &node;
    runtime::Flow::current().task = &context_;
    runtime::Flow::current().event = &node.event();
  }
  ~Inside() {
    runtime::Flow::current().task = before_;
    runtime::Flow::current().event = event_before_;
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  detail::TaskContext context_;
  detail::TaskContext* const before_;
  detail::Event* const event_before_;
};

/// Owns a linked node, as a group's object does.
class Linked {
 public:
  Linked() = default;
  explicit Linked(std::string name, NodeKind kind = NodeKind::group)
      : node_(new BareNode(std::move(name), kind)) {
    detail::Forest::instance().link(*node_);
  }
  static Linked with_time_limit(std::string name) {
    Linked linked;
    linked.node_ = new BareNode(std::move(name), NodeKind::daemon, true);
    detail::Forest::instance().link(*linked.node_);
    return linked;
  }
  Linked(std::string name, detail::Node& parent, NodeKind kind = NodeKind::group)
      : node_(new BareNode(std::move(name), kind)) {
    const Inside inside(parent);
    detail::Forest::instance().link(*node_);
  }
  ~Linked() { reset(); }
  Linked(Linked&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Linked& operator=(Linked&& other) noexcept {
    if (this != &other) {
      reset();
      node_ = std::exchange(other.node_, nullptr);
    }
    return *this;
  }

  void reset() {
    if (node_ == nullptr) return;
    detail::Forest::instance().unlink(*node_);
    std::exchange(node_, nullptr)->release();
  }
  BareNode& operator*() const { return *node_; }
  BareNode* operator->() const { return node_; }
  bool is_set() const { return node_->event().is_set(); }
  std::string message() const { return node_->event().reason()->message; }

 private:
  BareNode* node_ = nullptr;
};

inline bool set_event(const Linked& node, std::string message = {}) {
  Reason reason;
  reason.message = std::move(message);
  return detail::Forest::instance().set_event(*node, std::move(reason));
}

}  // namespace tg::test

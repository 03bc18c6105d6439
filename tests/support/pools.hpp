// SPDX-License-Identifier: Apache-2.0
// A pool on a bare node, and tasks that say what was done to them.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include "event/wait.hpp"
#include "tree/forest.hpp"

#include "pool/pool.hpp"

namespace tg::test {

/// What a group is made of, without the group.
class PoolNode final : public detail::Node {
 public:
  PoolNode(std::string name, std::size_t bound, OnFailure on_failure)
      : Node(std::move(name), NodeKind::group), pool(*this, bound, on_failure) {}
  void on_event_set() noexcept override { pool.skip_pending(event().reason()); }
  GroupStatistics statistics() const override { return pool.statistics(); }
  bool permit_is_free(const detail::Permits& permits) noexcept override {
    return pool.permit_is_free(permits);
  }
  void pass_adders() noexcept override { pool.pass_adders(); }
  void lend_slot() noexcept override { pool.lend_slot(); }
  void reclaim_slot() noexcept override { pool.reclaim_slot(); }

  detail::Pool pool;

 private:
  ~PoolNode() override = default;
};

/// A linked pool that waits for its tasks in the end.
class LinkedPool {
 public:
  explicit LinkedPool(std::size_t bound, OnFailure on_failure = OnFailure::keep_going)
      : node_(new PoolNode("pool", bound, on_failure)) {
    detail::Forest::instance().link(*node_);
  }
  ~LinkedPool() {
    wait();
    node_->pool.take_failures();
    detail::Forest::instance().unlink(*node_);
    node_->release();
  }
  LinkedPool(const LinkedPool&) = delete;
  LinkedPool& operator=(const LinkedPool&) = delete;

  void wait() {
    static_cast<void>(detail::wait(
        node_->pool.idle_waiters(), [this] { return node_->pool.idle(); }, {}, TimePoint::never()));
  }
  detail::Pool* operator->() const { return &node_->pool; }
  PoolNode& node() const { return *node_; }
  bool set_event() { return detail::Forest::instance().set_event(*node_, Reason{}); }

 private:
  PoolNode* node_;
};

/// A task that stays where it is: the test owns it, and it must be released once.
class ProbeTask final : public detail::Task {
 public:
  explicit ProbeTask(std::function<void()> work = {}, std::string name = {})
      : work_(std::move(work)), name_(std::move(name)) {}
  ~ProbeTask() override = default;

  TaskStatus run(detail::Node&) noexcept override {
    ++runs;
    try {
      if (work_) work_();
      return TaskStatus::succeeded;
    } catch (...) {
      error_ = std::current_exception();
      return TaskStatus::failed;
    }
  }
  TaskStatus skip(const detail::ReasonPointer&) noexcept override {
    ++skips;
    return TaskStatus::skipped;
  }
  const std::string* given_name() const noexcept override { return name_.empty() ? nullptr : &name_; }
  bool claim_failure() noexcept override { return !claimed.exchange(true); }
  bool failure_is_claimed() const noexcept override { return claimed; }
  Failure failure() const override { return Failure{name(), error_}; }
  void release() noexcept override { ++releases; }

  /// How often it was ended, in whichever way: exactly once, in the end.
  int ends() const { return runs + skips; }

  std::atomic<int> runs{0};
  std::atomic<int> skips{0};
  std::atomic<int> releases{0};
  std::atomic<bool> claimed{false};

 private:
  std::function<void()> work_;
  std::string name_;
  std::exception_ptr error_;
};

}  // namespace tg::test

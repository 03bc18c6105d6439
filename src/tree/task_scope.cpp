// SPDX-License-Identifier: Apache-2.0
// Running a task in a scope of its own.
#include <threadgroup/detail/task_scope.hpp>

#include <utility>

#include <threadgroup/scope.hpp>

#include "base/planted.hpp"
#include "tree/forest.hpp"
#include "tree/scope_node.hpp"

namespace tg::inline v0::detail {

class TaskScope::Entered : private Scope {
 public:
  Entered(TaskScope& owner, const std::string& name)
      : Scope(ScopeNode::make(std::string(name), owner.limit_)),
        owner_(owner),
        scope_(static_cast<ScopeNode&>(node())) {
    MutexLock lock(owner_.mutex_);
    scope_.add_reference();
    owner_.node_ = &scope_;
  }
  ~Entered() {
    if (!leave()) return;
    {
      MutexLock lock(owner_.mutex_);
      owner_.has_ended_ = true;
      owner_.node_ = nullptr;
    }
    scope_.release();
    scope_.end();
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

  /// For a stop that came before the scope was there. Throws `std::bad_alloc`.
  void pass_on_early_stop() {
    std::optional<Reason> early;
    {
      MutexLock lock(owner_.mutex_);
      if (!TG_PLANTED(task_scope_forgets_an_early_stop)) early.swap(owner_.reason_);
    }
    if (early) Forest::instance().set_event(scope_, std::move(*early));
  }

 private:
  TaskScope& owner_;
  ScopeNode& scope_;
};

TaskStatus TaskScope::run(const std::string& name, FunctionRef<TaskStatus()> task,
                          FunctionRef<TaskStatus(std::exception_ptr)> refused) noexcept {
  std::optional<Entered> entered;
  try {
    entered.emplace(*this, name);
    entered->pass_on_early_stop();
  } catch (...) {
    entered.reset();
    return refused(std::current_exception());
  }
  return task();
}

bool TaskScope::set_event(Reason reason) {
  ScopeNode* node = nullptr;
  {
    MutexLock lock(mutex_);
    if (has_ended_) return false;
    if (node_ == nullptr) {
      if (reason_) return false;
      reason_ = std::move(reason);
      return true;
    }
    node = node_;
    node->add_reference();
  }
  const bool is_first = Forest::instance().set_event(*node, std::move(reason));
  node->release();
  return is_first;
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// The engine of explorations: a scheduler with a point at each access of an atomic. Only for builds for explorations.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <threadgroup/detail/atomic.hpp>

#include "sim/memory_model.hpp"
#include "sim/scheduler.hpp"

namespace tg::inline v0::sim {

/// Runs bodies that explore a protocol. See README.md.
///
/// Thread safety: none. A thread runs one explorer at a time.
class Explorer final : public Scheduler {
 public:
  /// `fail` is called, on the stack of any flow, when a schedule cannot go on; it does not return.
  explicit Explorer(std::function<void(const std::string&)> fail);

  /// Within the body: runs each of these as a flow, and returns when all have ended.
  struct Part {
    const char* name;
    std::function<void()> run;
  };
  void together(const std::vector<Part>& parts);
  /// A guide looks at each step of a lock, instead of taking the lock as a whole.
  void look_into_locks() noexcept {
    if (guide() != nullptr) guide()->looks_into_locks();
  }
  /// At the start of the body: until the schedule ends, memory is weak.
  WeakMemory& weak_memory();
  std::size_t choose_store(std::size_t count) noexcept {
    return body_has_ended() ? 0 : chooser().older_store(count);
  }
  /// The flows that have not ended: which sleep, and where in the code, as the calls on their stacks.
  std::string sleepers() const;

  void point(detail::Access access, const void* word, const void* place) noexcept override;
  long wake(const void* word, int most, bool may_switch) noexcept override;
  void approach_lock() noexcept override {
    if (guide() != nullptr) guide()->approaches_lock();
  }
  void destroy(const void* word) noexcept override {
    if (guide() != nullptr) guide()->destroys(current().number, word);
  }
  void count_lock(int change) noexcept override { of_current().locks += change; }
  void expect_no_lock(const char* what) noexcept override {
    if (of_current().locks > 0) fail(what);
  }

 private:
  // Of one flow.
  struct Access {
    int locks = 0;          // held
    bool at_point = false;  // about to make an access
  };

  void begin_schedule() noexcept override;
  void end_schedule() noexcept override;
  void begins(const Line& line) override;
  void check_thread() noexcept override;
  Line* find_restless() noexcept override;
  const Line& runner() const noexcept override;
  void reschedule_before(Step::Kind kind, const void* word) noexcept;
  Access& of_current() noexcept { return accesses_[current().number]; }

  const pthread_t owner_;
  std::unique_ptr<WeakMemory> memory_;  // null until the first schedule that asks for it
  std::vector<Access> accesses_;        // of the flows by their numbers
  std::size_t last_at_point_ = 1;       // the number of the last flow that made an access
};

}  // namespace tg::inline v0::sim

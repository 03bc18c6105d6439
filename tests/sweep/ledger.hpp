// SPDX-License-Identifier: Apache-2.0
// What must hold of a program after something failed in it.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include <threadgroup/threadgroup.hpp>

#include "sweep/faults.hpp"

namespace tg::test {

/// Keeps account of a program's tasks, from the outside.
///
/// Thread safety: everything from any thread.
class Ledger {
 public:
  /// A callable that counts how many of its kind live and have been called.
  template <class F>
  class Counted {
   public:
    Counted(Ledger& ledger, F f) : ledger_(&ledger), f_(std::move(f)) { ++ledger_->alive_; }
    Counted(const Counted& other) : ledger_(other.ledger_), f_(other.f_) { ++ledger_->alive_; }
    Counted(Counted&& other) noexcept : ledger_(other.ledger_), f_(std::move(other.f_)) { ++ledger_->alive_; }
    Counted& operator=(const Counted&) = delete;
    ~Counted() { --ledger_->alive_; }
    auto operator()() {
      ++ledger_->begun_;
      return f_();
    }

   private:
    Ledger* ledger_;
    F f_;
  };

  /// Adds a task; a failure to add one is passed on and not counted.
  template <class F>
  auto add(ThreadGroup& group, F f) {
    auto handle = group.add_task(Counted<F>(*this, std::move(f)));
    ++added_;
    return handle;
  }
  template <class F>
  void post(ThreadGroup& group, F f) {
    group.post(Counted<F>(*this, std::move(f)));
    ++added_;
  }

  /// Waits for the group, whatever fails meanwhile, and takes what is left of its tasks into the account.
  void settle(ThreadGroup& group);
  /// The exception of a task, or of a call: `std::bad_alloc` and `std::system_error` are what a shortage may
  /// cause; all else is a violation, unless the program expects it.
  void judge(const std::exception_ptr& error);
  void violation(const std::string& what);
  /// Says what is wrong, or nothing. With everything that the program made gone.
  std::string audit() const;

 private:
  std::atomic<std::int64_t> alive_{0};
  std::atomic<std::uint64_t> begun_{0};
  std::atomic<std::uint64_t> added_{0};
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<std::uint64_t> ran_{0};
  std::atomic<bool> violated_{false};
};

/// Settles the group at the end of the scope, before the group itself ends. A program that an exception ends
/// may not have come to what ends its tasks: then they are stopped.
class Settled {
 public:
  Settled(Ledger& ledger, ThreadGroup& group) : ledger_(ledger), group_(group) {}
  ~Settled() {
    if (std::uncaught_exceptions() > exceptions_) {
      const Spared spared;
      group_.set_event("the program was cut short");
    }
    ledger_.settle(group_);
  }
  Settled(const Settled&) = delete;
  Settled& operator=(const Settled&) = delete;

 private:
  Ledger& ledger_;
  ThreadGroup& group_;
  const int exceptions_ = std::uncaught_exceptions();
};

/// What a program throws itself; the account takes it for expected.
struct Expected : std::exception {
  const char* what() const noexcept override { return "expected"; }
};

}  // namespace tg::test

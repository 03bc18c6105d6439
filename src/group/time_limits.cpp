// SPDX-License-Identifier: Apache-2.0
// The flow that waits for the earliest time limit.
#include <cstdio>
#include <new>
#include <string>
#include <utility>

#include <threadgroup/event/wait.hpp>
#include <threadgroup/group/time_limits.hpp>
#include <threadgroup/runtime/clock.hpp>
#include <threadgroup/runtime/fork.hpp>
#include <threadgroup/runtime/threads.hpp>
#include <threadgroup/tree/forest.hpp>

namespace tg::detail {

TimeLimits& TimeLimits::instance() {
  static TimeLimits* const limits = new TimeLimits;
  return *limits;
}

TimeLimits::TimeLimits() {
  runtime::hold_across_forks([]() -> Mutex& { return instance().mutex_; },
                             []() TG_NO_THREAD_SAFETY_ANALYSIS {
                               // The groups and the flow are the parent's. The references stay, so nothing of
                               // them is touched here.
                               instance().entries_.clear();
                               instance().serving_ = false;
                               // Whoever waits in there stands on the stack of a thread that is gone, and the
                               // next thread gets that stack.
                               ::new (&instance().changed_) WaitQueue;
                             });
}

void TimeLimits::add(Node& node, TimePoint deadline, Duration limit) {
  bool start = false;
  {
    MutexLock lock(mutex_);
    entries_.emplace(std::pair(deadline, node.id().value), Entry{&node, limit});
    node.add_reference();
    ++changes_;
    start = !serving_;
  }
  changed_.release_all();
  if (!start) return;
  try {
    runtime::ThreadCache::instance().start({&TimeLimits::serve_main, this});
  } catch (...) {
    remove(node);
    throw;
  }
}

void TimeLimits::remove(Node& node) noexcept {
  bool removed = false;
  {
    MutexLock lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->second.node != &node) continue;
      entries_.erase(entry);
      ++changes_;
      removed = true;
      break;
    }
  }
  if (!removed) return;
  changed_.release_all();
  node.release();
}

void TimeLimits::serve_main(void* limits) noexcept { static_cast<TimeLimits*>(limits)->serve(); }

void TimeLimits::serve() noexcept {
  {
    MutexLock lock(mutex_);
    // Set only here. Had `add` set it, a limit that came while the flow was being made would rely on it, and
    // be left alone if there turned out to be no thread for it.
    if (std::exchange(serving_, true)) return;
  }
  runtime::Flow::current().set_os_name("tg-time-limits");
  for (;;) {
    Entry due{};
    TimePoint next;
    std::uint64_t seen = 0;
    {
      MutexLock lock(mutex_);
      if (entries_.empty()) {
        serving_ = false;
        return;
      }
      const auto first = entries_.begin();
      next = first->first.first;
      seen = changes_;
      if (runtime::now() >= next) {
        due = first->second;
        entries_.erase(first);
      }
    }
    if (due.node == nullptr) {
      const auto changed = [this, seen] {
        MutexLock lock(mutex_);
        return changes_ != seen;
      };
      static_cast<void>(wait(changed_, changed, {}, next));
      continue;
    }
    try {
      Reason reason;
      reason.kind = ReasonKind::deadline;
      reason.message = "the time limit of " + std::to_string(static_cast<double>(due.limit.nanos()) / 1e9) +
                       " s has passed";
      Forest::instance().set_event(*due.node, std::move(reason));
    } catch (const std::exception& e) {
      std::fprintf(stderr, "threadgroup: cannot tell group '%s' that its time is up: %s\n",
                   due.node->name().c_str(), e.what());
    }
    due.node->release();
  }
}

}  // namespace tg::detail

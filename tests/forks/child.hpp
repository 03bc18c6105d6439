// SPDX-License-Identifier: Apache-2.0
// What a forked child does with the library, and what it may have inherited.
#pragma once

#include <atomic>
#include <memory>

#include <threadgroup/threadgroup.hpp>

namespace tg::forks {

/// Objects of the parent, each there from some moment on.
struct Inherited {
  std::atomic<ThreadGroup*> group{nullptr};
  std::atomic<TaskHandle<int>*> finished{nullptr};
  std::atomic<TaskHandle<int>*> unfinished{nullptr};
  std::atomic<Function*> function{nullptr};
  std::atomic<AsCompleted<int>*> range{nullptr};
  std::atomic<Vault*> vault{nullptr};
};
Inherited& inherited() noexcept;
extern const Key<int> key_a;
extern const Key<int> key_b;

/// Uses every class of the library once. Zero if each did what it should, those of the parent at least by
/// throwing `ForkedError`.
int touch_everything();

}  // namespace tg::forks

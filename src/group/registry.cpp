// SPDX-License-Identifier: Apache-2.0
// Keeping functions and results. R1 and R2 are in the header.
#include "group/registry.hpp"

#include <iterator>
#include <stdexcept>
#include <utility>

#include "base/immortal.hpp"

namespace tg::inline v0::detail {

Registry& RegistryHook::get_or_make() {
  if (Registry* const there = get()) return *there;
  auto made = std::make_unique<Registry>();
  Registry* expected = nullptr;
  if (registry_.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel))
    return *made.release();
  return *expected;  // another thread was faster
}

void Registry::add(Function function) {
  MutexLock lock(mutex_);
  functions_.push_back(std::move(function));
}

std::vector<Function> Registry::find(const std::string& name, const std::string& group) const {
  std::vector<Function> found;
  std::string known;
  {
    MutexLock lock(mutex_);
    for (const Function& function : functions_) {
      if (function.name() == name) found.push_back(function);
      known += (known.empty() ? "" : ", ") + function.name();
    }
  }
  if (found.empty()) {
    throw std::out_of_range("group '" + group + "' has no function '" + name + "'; it has " +
                            (known.empty() ? "none" : known));
  }
  return found;
}

std::vector<RegisteredCall> Registry::calls() const {
  std::vector<RegisteredCall> calls;
  MutexLock lock(mutex_);
  calls.reserve(functions_.size());
  for (const Function& function : functions_)
    calls.push_back({function.cell()->name(), function.cell()->call()});
  return calls;
}

void Registry::begin_run() {
  std::list<ResultList> dropped;  // R2: declared before the lock, so destroyed after it
  MutexLock lock(mutex_);
  if (running_++ == 0 && results_.size() > 1) {
    dropped.splice(dropped.end(), results_, results_.begin(), std::prev(results_.end()));
  }
}

const ResultList& Registry::end_run(ResultList results, bool completed) {
  std::list<ResultList> one;
  one.push_back(std::move(results));
  MutexLock lock(mutex_);
  --running_;
  executed_ = executed_ || completed;
  results_.splice(results_.end(), one);
  return results_.back();
}

void Registry::abandon_run() noexcept {
  MutexLock lock(mutex_);
  --running_;
}

void Registry::mark_executed() noexcept {
  MutexLock lock(mutex_);
  executed_ = true;
}

bool Registry::executed() const {
  MutexLock lock(mutex_);
  return executed_;
}

namespace {
constinit const Immortal<ResultList> no_results;
}

const ResultList& Registry::none() noexcept { return no_results.value; }

const ResultList& Registry::latest() const {
  MutexLock lock(mutex_);
  return results_.empty() ? none() : results_.back();
}

}  // namespace tg::inline v0::detail

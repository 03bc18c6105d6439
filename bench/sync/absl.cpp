// SPDX-License-Identifier: Apache-2.0
// Abseil's mutex, without its search for deadlocks, which Debian's build has on.
#include <absl/synchronization/mutex.h>

#include "work.hpp"

namespace {

class Mutex {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex_) { mutex_.Lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION(mutex_) { mutex_.Unlock(); }

 private:
  absl::Mutex mutex_;
};

}  // namespace

void bench::run(const Options& options) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  measure_mutex<StdThreads, Mutex>(options);
}

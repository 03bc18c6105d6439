// SPDX-License-Identifier: Apache-2.0
// Waits in all primitives of the library, none of which ends before the waiter is stopped.
#pragma once

#include <threadgroup/sync.hpp>

#include <mutex>

namespace bench {

class Primitives {
 public:
  explicit Primitives(std::int64_t threads) : barrier_(threads + 1) {
    held_.lock();
    static_cast<void>(full_.try_send(0));
    static_cast<void>(rate_.try_acquire());
  }
  ~Primitives() {
    held_.unlock();
    latch_.count_down();
  }
  Primitives(const Primitives&) = delete;
  Primitives& operator=(const Primitives&) = delete;

  /// The i-th thread's wait. The threads are spread over the primitives.
  void wait(std::int64_t i) {
    switch (i % 9) {
      case 0:
        return static_cast<void>(held_.event_aware_lock());
      case 1:
        return static_cast<void>(no_permits_.acquire());
      case 2:
        return static_cast<void>(latch_.wait());
      case 3:
        return static_cast<void>(barrier_.arrive_and_wait());
      case 4:
        return static_cast<void>(empty_.receive());
      case 5:
        return static_cast<void>(full_.send(1));
      case 6:
        return static_cast<void>(rate_.acquire());
      case 7:
        return static_cast<void>(tg::select(tg::receive_from(empty_, [](int) {}), tg::send_to(full_, 1)));
      default: {
        std::unique_lock lock(mutex_);
        return static_cast<void>(never_.wait(lock, [] { return false; }));
      }
    }
  }

 private:
  tg::Mutex held_;
  tg::Mutex mutex_;
  tg::ConditionVariable never_;
  tg::Semaphore no_permits_{0};
  tg::Latch latch_{1};
  tg::Barrier barrier_;
  tg::Channel<int> empty_{1};
  tg::Channel<int> full_{1};
  tg::RateLimiter rate_{1e-3, 1};
};

}  // namespace bench

// SPDX-License-Identifier: Apache-2.0
// The standard library's mutex and semaphore, and a queue of a mutex, two condition variables and a deque.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <semaphore>

#include "work.hpp"

namespace {

class Queue {
 public:
  void send(std::int64_t number) {
    std::unique_lock lock(mutex_);
    has_room_.wait(lock, [this] { return numbers_.size() < 64; });
    numbers_.push_back(number);
    lock.unlock();
    has_numbers_.notify_one();
  }
  std::int64_t receive() {
    std::unique_lock lock(mutex_);
    has_numbers_.wait(lock, [this] { return !numbers_.empty(); });
    const std::int64_t number = numbers_.front();
    numbers_.pop_front();
    lock.unlock();
    has_room_.notify_one();
    return number;
  }

 private:
  std::mutex mutex_;
  std::condition_variable has_room_;
  std::condition_variable has_numbers_;
  std::deque<std::int64_t> numbers_;
};

}  // namespace

void bench::run(const Options& options) {
  measure_mutex<StdThreads, std::mutex>(options);
  measure_semaphore<StdThreads, std::counting_semaphore<>>(options);
  measure_queue<StdThreads, Queue>(options);
}

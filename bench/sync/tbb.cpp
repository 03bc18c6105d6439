// SPDX-License-Identifier: Apache-2.0
// oneTBB's mutex and its bounded queue.
#include <oneapi/tbb/mutex.h>
#include <tbb/concurrent_queue.h>

#include "work.hpp"

namespace {

class Queue {
 public:
  Queue() { numbers_.set_capacity(64); }
  void send(std::int64_t number) { numbers_.push(number); }
  std::int64_t receive() {
    std::int64_t number = 0;
    numbers_.pop(number);
    return number;
  }

 private:
  tbb::concurrent_bounded_queue<std::int64_t> numbers_;
};

}  // namespace

void bench::run(const Options& options) {
  measure_mutex<StdThreads, tbb::mutex>(options);
  measure_queue<StdThreads, Queue>(options);
}

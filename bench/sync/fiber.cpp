// SPDX-License-Identifier: Apache-2.0
// Boost.Fiber's mutex and channel, between threads of one fiber each. Of a channel's 64 places one stays empty.
#include <boost/fiber/all.hpp>

#include "work.hpp"

namespace {

class Queue {
 public:
  void send(std::int64_t number) { numbers_.push(number); }
  std::int64_t receive() { return numbers_.value_pop(); }

 private:
  boost::fibers::buffered_channel<std::int64_t> numbers_{64};
};

}  // namespace

void bench::run(const Options& options) {
  measure_mutex<StdThreads, boost::fibers::mutex>(options);
  measure_queue<StdThreads, Queue>(options);
}

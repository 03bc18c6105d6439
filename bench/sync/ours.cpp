// SPDX-License-Identifier: Apache-2.0
// Mutex, Semaphore and Channel in tasks of a group, so that each call of the last two checks whether it is stopped.
#include <threadgroup/threadgroup.hpp>

#include "work.hpp"

namespace {

struct Tasks {
  template <class Body>
  static void run(std::size_t threads, Body body) {
    tg::ThreadGroup group("sync", {.max_concurrent_threads = threads});
    for (std::size_t t = 0; t < threads; ++t) group.post([&body, t] { body(t); });
    group.join();
  }
};

class Semaphore : tg::Semaphore {
 public:
  using tg::Semaphore::release;
  using tg::Semaphore::Semaphore;
  void acquire() {
    if (tg::Semaphore::acquire() != tg::WaitOutcome::ready) std::abort();
  }
};

class Queue {
 public:
  void send(std::int64_t number) {
    if (channel_.send(number) != tg::WaitOutcome::ready) std::abort();
  }
  std::int64_t receive() { return channel_.receive().value(); }

 private:
  tg::Channel<std::int64_t> channel_{64};
};

}  // namespace

void bench::run(const Options& options) {
  measure_mutex<Tasks, tg::Mutex>(options);
  measure_semaphore<Tasks, Semaphore>(options);
  measure_queue<Tasks, Queue>(options);
}

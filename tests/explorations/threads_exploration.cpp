// SPDX-License-Identifier: Apache-2.0
// The cache of threads: jobs that meet threads which become idle, end, or are retired.
#include <array>

#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"

namespace tg::test {
namespace threads_exploration {
namespace {

using runtime::ThreadCache;

/// A job that says that it ran. Its thread and the body own it together, because either may be the last to
/// use it.
class Errand {
 public:
  void start() {
    const auto run = [](void* raw) noexcept {
      auto* const self = static_cast<Shared*>(raw);
      self->done.send();
      self->leave();
    };
    ThreadCache::instance().start({run, shared_});
  }
  void wait() {
    shared_->done.wait();
    shared_->leave();
  }

 private:
  struct Shared {
    Signal done;
    detail::Atomic<int> owners{2};
    void leave() {
      if (owners.fetch_sub(1) == 1) delete this;
    }
  };
  Shared* const shared_ = new Shared;
};

// The idle time of a thread ends at the moment when it is called.
TG_EXPLORATION(ThreadCacheExploration, a_job_meets_an_idle_thread_whose_time_is_up) {
  std::array<Errand, 2> errands;
  for (Errand& errand : errands) {
    errand.start();
    errand.wait();
  }
}
TG_FINDS(ThreadCacheExploration, a_job_meets_an_idle_thread_whose_time_is_up, cache_idle_thread_does_not_look,
         1000)

TG_EXPLORATION(ThreadCacheExploration, a_job_meets_the_end_of_idle_threads) {
  std::array<Errand, 3> errands;
  ThreadCache& cache = ThreadCache::instance();
  errands[0].start();
  const auto start_two = [&errands] {
    errands[1].start();
    errands[2].start();
  };
  const auto retire = [&cache] {
    cache.retire_idle_threads(runtime::after(Duration::from_nanos(1'000'000)));
  };
  together({{"starts", start_two}, {"retires", retire}});
  for (Errand& errand : errands) errand.wait();
  const ThreadCache::Statistics statistics = cache.statistics();
  require(statistics.idle <= statistics.threads && statistics.threads <= 3, "the counts add up");
}

// With room for one idle thread: another one ends, and no job is lost with it.
TG_EXPLORATION(ThreadCacheExploration, a_job_meets_a_thread_that_is_one_too_many) {
  std::array<Errand, 3> errands;
  ThreadCache& cache = ThreadCache::instance();
  cache.set_limits(1, ThreadCache::kDefaultIdleTime);
  errands[0].start();
  errands[1].start();
  errands[0].wait();
  errands[2].start();
  errands[1].wait();
  errands[2].wait();
  cache.set_limits(ThreadCache::kDefaultMaxIdle, ThreadCache::kDefaultIdleTime);
}

}  // namespace
}  // namespace threads_exploration
}  // namespace tg::test

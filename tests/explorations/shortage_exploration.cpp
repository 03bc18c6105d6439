// SPDX-License-Identifier: Apache-2.0
// Requests for threads while the system refuses them.
#include <array>
#include <memory>

#include "pool/pool.hpp"
#include "runtime/faults.hpp"
#include "runtime/threads.hpp"

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"
#include "support/pools.hpp"

namespace tg::test {
namespace shortage_exploration {
namespace {

using runtime::ThreadCache;

struct Errand {
  static void run(void* errand) noexcept { static_cast<Errand*>(errand)->done.send(); }

  Signal done;
  runtime::ThreadRequest request{{&run, this}};
};

// A thread becomes idle while another flow is refused one: no request waits while a thread is idle (A1).
TG_EXPLORATION(ShortageExploration, a_thread_becomes_idle_while_another_one_is_refused) {
  hold_clock();
  ThreadCache& cache = ThreadCache::instance();
  const auto errands = std::make_unique<std::array<Errand, 3>>();
  Errand& first = (*errands)[0];
  Errand& second = (*errands)[1];
  Errand& third = (*errands)[2];
  int error = 0;
  cache.request(first.request, false, error);
  runtime::faults::refuse_threads(1'000'000);
  auto second_got = ThreadCache::Requested::queued;
  auto third_got = ThreadCache::Requested::queued;
  together({{"requests",
             [&] {
               int refused = 0;
               second_got = cache.request(second.request, true, refused);
             }},
            {"requests later", [&] {
               first.done.wait();
               int refused = 0;
               third_got = cache.request(third.request, false, refused);
             }}});
  pause();
  pause();
  require(cache.statistics().idle == 0 || !ThreadCache::instance().is_short_of_threads(),
          "no request waits while a thread is idle");
  runtime::faults::refuse_threads(0);
  if (second_got != ThreadCache::Requested::refused) second.done.wait();
  if (third_got != ThreadCache::Requested::refused) third.done.wait();
}
TG_FINDS(ShortageExploration, a_thread_becomes_idle_while_another_one_is_refused, cache_forgets_who_is_idle,
         1000)

// A worker gives its thread away for others that wait for one, while the last of these is withdrawn (P3).
TG_EXPLORATION(ShortageExploration, a_turn_ends_with_the_shortage) {
  LinkedPool pool(1);
  const auto errand = std::make_unique<Errand>();
  std::array<ProbeTask, 3> tasks{ProbeTask([] {
                                   for (int i = 0; i < 30; ++i) pause();  // until its turn is over
                                 }),
                                 ProbeTask(), ProbeTask()};
  for (ProbeTask& task : tasks) pool->add(task);
  ThreadCache& cache = ThreadCache::instance();
  runtime::faults::refuse_threads(1'000'000);
  cache.request_when_possible(errand->request);
  for (int i = 0; i < 29; ++i) pause();
  if (cache.withdraw(errand->request)) errand->done.send();  // as if its group had been stopped
  runtime::faults::refuse_threads(0);
  errand->done.wait();
  pool.wait();
}

}  // namespace
}  // namespace shortage_exploration
}  // namespace tg::test

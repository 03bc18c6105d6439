// SPDX-License-Identifier: Apache-2.0
// Bringing threads to the requests, and what threads do between two jobs.
#include "runtime/threads.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>

#include "base/planted.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/make_thread.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/wait_briefly.hpp"

namespace tg::inline v0::runtime {

using tg::detail::MutexLock;

namespace {
// A thread keeps the name of its last group for this long, then says that it is idle. Renaming at once would
// cost two system calls in every use of a short-lived group.
constexpr Duration kKeepsNameFor = Duration::from_nanos(50'000'000);
constexpr const char* kIdleName = "tg-idle";

// A thread beyond the limit of idle ones ends after this time. When a group of many threads is stopped, they end
// after the last one has woken, and not before, and the next such group finds them.
constexpr Duration kSurplusStaysFor = Duration::from_nanos(50'000'000);
}  // namespace

constinit ThreadCache ThreadCache::only_;

namespace {
[[gnu::constructor(at_load::kThreads)]] void hold_threads() { ThreadCache::hold_across_forks(); }
}  // namespace

void ThreadCache::hold_across_forks() {
  runtime::hold_across_forks([]() -> tg::detail::Mutex& { return only_.mutex_; },
                             []() TG_NO_THREAD_SAFETY_ANALYSIS { only_.forget_threads(); });
  Engine::register_part(Engine::Part::threads, {[]() -> void* { return new ThreadCache; },
                                                [](void* part) noexcept {
                                                  auto& cache = *static_cast<ThreadCache*>(part);
                                                  MutexLock lock(cache.mutex_);
                                                  cache.forget_threads();
                                                  cache.max_idle_ = kDefaultMaxIdle;
                                                  cache.idle_time_ = kDefaultIdleTime;
                                                }});
}

// In a forked child, where they are the parent's; and before an engine begins again.
void ThreadCache::forget_threads() {
  idle_ = IdleStack();
  thread_count_ = 0;
  created_ = 0;
  requests_ = RequestList();
  coming_ = 0;
  retiring_ = false;
  is_short_ = false;
  has_requests_ = false;
  askers_.forget();
  shortage_.note(0);
  shortage_.begin();
}

void throw_refusal(int error) {
  if (error == ENOMEM) throw std::bad_alloc();
  throw std::system_error(error, std::generic_category(), "threadgroup: cannot create a thread");
}

void ThreadCache::start(Job job) {
  Flow* flow = nullptr;
  {
    MutexLock lock(mutex_);
    flow = idle_.call(IdleThread::Call::job, job);
  }
  if (flow != nullptr) return flow->unpark();
  if (const int error = create_thread(job); error != 0) throw_refusal(error);
  if (is_short_of_threads()) {  // there is one, so there may be more
    {
      MutexLock lock(mutex_);
      shortage_.ask_at_once();
    }
    ask_again();
  }
}

// --- The list of requests ---

// Counts a thread as coming for the list: an idle one, whose flow the caller unparks, or else (null) one that
// the caller makes.
Flow* ThreadCache::send_one_locked() noexcept {
  ++coming_;
  Flow* const idle = idle_.call(IdleThread::Call::list);
  if (idle != nullptr) is_short_.store(false, std::memory_order_relaxed);
  return idle;
}

ThreadCache::Requested ThreadCache::request(ThreadRequest& request, bool even_if_one_is_coming,
                                            int& error) noexcept {
  // Threads of the one would be counted as those of the other, and neither would bring one.
  if (this != &instance()) [[unlikely]]
    refuse_mixture();
  Flow* idle = nullptr;
  {
    MutexLock lock(mutex_);
    requests_.add(request);
    has_requests_.store(true, std::memory_order_relaxed);
    if (coming_ != 0 && !even_if_one_is_coming) return Requested::queued;
    idle = send_one_locked();
  }
  if (idle != nullptr) {
    idle->unpark();
    return Requested::woken;
  }
  if (make_for_list(&request, error)) return Requested::made;
  return error != 0 ? Requested::refused : Requested::queued;
}

// Makes a thread that was counted as coming. If the system refuses it, withdraws the request `own`, if any;
// then `error` is 0 if another thread has taken that request.
bool ThreadCache::make_for_list(ThreadRequest* own, int& error) noexcept {
  error = create_thread(Job{});
  if (error == 0) {
    MutexLock lock(mutex_);
    // If it has come already, it has sent for the next one (A1).
    if (coming_ != 0) is_short_.store(false, std::memory_order_relaxed);
    return true;
  }
  bool is_short = false;
  std::size_t wanted = 0;
  std::size_t threads = 0;
  int refusal = 0;
  Flow* idle = nullptr;
  {
    MutexLock lock(mutex_);
    --coming_;
    shortage_.note(error);
    if (own != nullptr) {
      if (!requests_.withdraw(*own)) error = 0;
      requests_became_fewer_locked();
    }
    if (coming_ == 0 && !requests_.empty()) {  // A1
      // A thread may have become idle after the attempt began.
      if (!TG_PLANTED(cache_forgets_who_is_idle) && idle_.count() != 0) {
        idle = send_one_locked();
      } else {
        is_short = true;
        if (is_short_of_threads()) shortage_.back_off();
        become_short_locked();
        if (shortage_.may_report()) wanted = requests_.wanted();
        threads = thread_count_;
        refusal = shortage_.error();
      }
    }
  }
  if (idle != nullptr) idle->unpark();
  if (wanted != 0) report_shortage(threads, wanted, refusal);
  if (is_short && own != nullptr) ask_again();
  return false;
}

void ThreadCache::request_when_possible(ThreadRequest& request) noexcept {
  Flow* idle = nullptr;
  {
    MutexLock lock(mutex_);
    requests_.add(request);
    has_requests_.store(true, std::memory_order_relaxed);
    if (coming_ != 0) return;
    if (idle_.count() != 0) idle = send_one_locked();
    else become_short_locked();
  }
  if (idle != nullptr) idle->unpark_under_lock();
}

bool ThreadCache::withdraw(ThreadRequest& request) noexcept {
  MutexLock lock(mutex_);
  if (!requests_.withdraw(request)) return TG_PLANTED(cache_withdraws_what_is_taken);
  requests_became_fewer_locked();
  return true;
}

Job ThreadCache::take_request_locked() noexcept {
  const Job job = requests_.take();
  requests_became_fewer_locked();
  return job;
}

void ThreadCache::requests_became_fewer_locked() noexcept {
  if (!requests_.empty()) return;
  has_requests_.store(false, std::memory_order_relaxed);
  is_short_.store(false, std::memory_order_relaxed);
}

// --- A shortage ---

// No thread comes for the list, because the system refused one (A1).
void ThreadCache::become_short_locked() noexcept {
  if (is_short_of_threads()) return;
  is_short_.store(true, std::memory_order_seq_cst);  // see `Asleep`
  shortage_.begin();
}

ThreadCache::Refusal ThreadCache::refusal_of(const ThreadRequest& request) const noexcept {
  MutexLock lock(mutex_);
  if (!is_short_of_threads() || !requests_.holds(request)) return {};
  return {shortage_.error(), requests_.wanted_by(request)};
}

TimePoint ThreadCache::ask_again() noexcept {
  const TimePoint ask_at = ask_if_it_is_time();
  // Flows that have slept since before the shortage sleep without these times. Wakes some of them: each
  // checks its condition, goes to sleep again, and registers then.
  if (!ask_at.is_never() && askers_.none()) Flow::wake_some(Askers::kMost);
  return ask_at;
}

// Asks for one thread. If there is one, it sends for the next.
TimePoint ThreadCache::ask_if_it_is_time() noexcept {
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (!is_short_of_threads()) return TimePoint::never();
      if (coming_ != 0) return shortage_.after_pause();  // another flow is asking
      if (now() < shortage_.ask_at()) return shortage_.ask_at();
      ++coming_;
    }
    int error = 0;
    if (make_for_list(nullptr, error)) return TimePoint::never();
  }
}

bool ThreadCache::begin_asking() noexcept { return askers_.begin(); }

void ThreadCache::end_asking() noexcept {
  if (askers_.end() && is_short_of_threads()) Flow::wake_some(Askers::kMost);
}

// --- Making threads ---

// Returns 0, or the system's error.
int ThreadCache::create_thread(Job job) noexcept {
  {
    MutexLock lock(mutex_);  // counted before it runs, so that its own leaving cannot come first
    ++thread_count_;
    ++created_;
  }
  const int error = make_thread(&ThreadCache::thread_main, job);
  if (error != 0) {
    MutexLock lock(mutex_);
    --thread_count_;
    --created_;
  }
  return error;
}

void ThreadCache::thread_main(Job first) noexcept {
  const std::uint32_t generation = fork_generation();
  ThreadCache& cache = instance();
  cache.serve(first);
  if (fork_generation() != generation) return;  // a forked child's counts never had this thread
  MutexLock lock(cache.mutex_);
  --cache.thread_count_;
}

void ThreadCache::serve(Job job) {
  const std::uint32_t generation = fork_generation();
  IdleThread self;
  self.flow = &Flow::current();
  if (job.run == nullptr && !come_for_request(job) && !wait_for_job(self, job)) return;
  do {
    static_cast<void>(self.flow->has_slept());  // as it waited for the job
    job.run(job.argument);
    // A job that forked and came back in the child: the child's cache does not know this thread.
    if (fork_generation() != generation) return;
  } while (wait_for_job(self, job));
}

// A thread that was sent for the list takes the first request, and sends for the next thread before it runs
// the job. False if others have served the list meanwhile.
bool ThreadCache::come_for_request(Job& job) noexcept {
  Flow* idle = nullptr;
  {
    MutexLock lock(mutex_);
    if (requests_.empty() && TG_PLANTED(cache_needless_thread_keeps_coming)) return false;
    --coming_;
    if (requests_.empty()) return false;
    job = take_request_locked();
    if (requests_.empty() || coming_ != 0 || TG_PLANTED(cache_sends_no_next_thread)) return true;
    idle = send_one_locked();
  }
  int error = 0;
  if (idle != nullptr) {
    idle->unpark();
  } else if (!make_for_list(nullptr, error)) {
    ask_again();
  }
  return true;
}

// Goes on to the next request in the list, or is idle until there is a job. False if the thread ends.
bool ThreadCache::wait_for_job(IdleThread& self, Job& job) {
  for (;;) {
    Duration idle_time;
    {
      MutexLock lock(mutex_);
      if (!requests_.empty()) {
        job = take_request_locked();
        return true;
      }
      if (retiring_ || max_idle_ == 0) return false;
      idle_.push(self);
      idle_time = idle_.count() <= max_idle_ ? idle_time_ : std::min(kSurplusStaysFor, idle_time_);
    }
    switch (wait_for_call(self, idle_time)) {
      case IdleThread::Call::job:
        job = self.job;
        return true;
      case IdleThread::Call::list:
        if (come_for_request(job)) return true;
        break;
      default:
        return false;
    }
  }
}

// `none` if there was no call within the idle time.
IdleThread::Call ThreadCache::wait_for_call(IdleThread& self, Duration idle_time) noexcept {
  TimePoint idle_until = runtime::after(idle_time);
  // After a job that slept there may be no processor to spare, and what the sleep cost is more than spinning
  // could save. A thread that was woken on the adder's processor keeps the adder from adding the next job.
  if (!self.flow->has_slept() && !self.flow->waker_was_here()) {
    wait_briefly([&self] { return self.flow->has_permit(); });
  }
  TimePoint rename_at = runtime::after(kKeepsNameFor);
  for (;;) {
    self.flow->park_until(rename_at < idle_until ? rename_at : idle_until);
    const TimePoint t = now();
    bool rename = false;
    {
      MutexLock lock(mutex_);
      if (self.call != IdleThread::Call::none && !TG_PLANTED(cache_idle_thread_does_not_look))
        return self.call;
      if (t >= idle_until && idle_time < idle_time_ && idle_.count() <= max_idle_) {
        idle_time = idle_time_;  // others have been called meanwhile: it is no surplus any more
        idle_until = runtime::after(idle_time);
      } else if (t >= idle_until) {
        idle_.take_out(self);
        return IdleThread::Call::none;
      }
      rename = t >= rename_at;
    }
    if (rename) {
      rename_at = TimePoint::never();
      self.flow->set_os_name(kIdleName);
    }
  }
}

// Ends the idle threads beyond the limit, and says how many.
std::size_t ThreadCache::end_surplus() noexcept {
  for (std::size_t ended = 0;; ++ended) {
    Flow* flow = nullptr;
    {
      MutexLock lock(mutex_);
      if (idle_.count() > (retiring_ ? 0 : max_idle_)) flow = idle_.call(IdleThread::Call::end);
    }
    if (flow == nullptr) return ended;
    flow->unpark();
  }
}

void ThreadCache::set_limits(std::size_t max_idle, Duration idle_time) {
  {
    MutexLock lock(mutex_);
    max_idle_ = max_idle;
    idle_time_ = idle_time;
  }
  end_surplus();
}

ThreadCache::Statistics ThreadCache::statistics() const {
  MutexLock lock(mutex_);
  return Statistics{created_, thread_count_, idle_.count()};
}

void ThreadCache::retire_idle_threads(TimePoint deadline) {
  std::size_t before = 0;
  {
    MutexLock lock(mutex_);
    retiring_ = true;
    before = thread_count_;
  }
  const std::size_t retired = end_surplus();
  // They are detached, so there is nothing to join; the count falls as each one leaves.
  Flow& me = Flow::current();
  while (now() < deadline) {
    {
      MutexLock lock(mutex_);
      if (thread_count_ + retired <= before) break;
    }
    me.park_until(runtime::after(Duration::from_nanos(200'000)));
  }
  MutexLock lock(mutex_);
  retiring_ = false;
}

}  // namespace tg::inline v0::runtime

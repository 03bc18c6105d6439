// SPDX-License-Identifier: Apache-2.0
// Making OS threads, and what they do between two jobs.
#include "runtime/threads.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "base/spin.hpp"
#include "runtime/faults.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

using tg::detail::MutexLock;

namespace {
// A thread keeps the name of its last group for this long, then says that it is idle. Renaming at once would
// cost two system calls in every use of a short-lived group.
constexpr Duration kKeepsNameFor = Duration::from_nanos(50'000'000);
constexpr const char* kIdleName = "tg-idle";

// Between two attempts to make a thread that the system refused.
constexpr Duration kFirstPause = Duration::from_nanos(1'000'000);
constexpr Duration kLongestPause = Duration::from_nanos(1'000'000'000);

// How many flows wake for those attempts: more than one, because each of them may stop sleeping at any
// moment.
constexpr int kMostAskers = 4;

struct ThreadStart {
  ThreadCache* const cache;
  Job job;
  const std::uint32_t generation;
  // Made here, where a lack of memory can be reported, and not by the new thread, which has no caller to
  // report it to.
  Flow* flow = nullptr;

  ThreadStart(ThreadCache* of, Job first) : cache(of), job(first), generation(fork_generation()) {}
  ThreadStart(const ThreadStart&) = delete;
  ThreadStart& operator=(const ThreadStart&) = delete;
  ~ThreadStart() {
    if (flow != nullptr) Flow::give_back(*flow);
  }
};

// Makes a detached thread. Returns 0 or the system's error.
int launch(void* (*main)(void*), void* argument) noexcept {
  if (faults::is_thread_refused()) return EAGAIN;
  pthread_attr_t attributes;
  int error = ::pthread_attr_init(&attributes);
  if (error != 0) return error;
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  error = ::pthread_create(&thread, &attributes, main, argument);
  ::pthread_attr_destroy(&attributes);
  return error;
}
}  // namespace

// An idle thread's place in the stack; it lives on that thread's stack. The flow that takes it out under the
// lock gives it a job (or none: then it ends) before it unparks it.
struct ThreadCache::IdleThread {
  Flow* flow = nullptr;
  IdleThread* next = nullptr;
  Job job;             // written under the cache's lock by the flow that takes the thread out
  bool taken = false;  // likewise
};

constinit tg::detail::Atomic<bool> ThreadCache::is_short_{false};
constinit ThreadCache ThreadCache::only_;

namespace {
[[gnu::constructor(at_load::kThreads)]] void hold_threads() { ThreadCache::hold_across_forks(); }
}  // namespace

void ThreadCache::hold_across_forks() {
  runtime::hold_across_forks([]() -> tg::detail::Mutex& { return only_.mutex_; },
                             []() TG_NO_THREAD_SAFETY_ANALYSIS { only_.forget_threads_after_fork(); });
}

void ThreadCache::forget_threads_after_fork() {
  idle_ = nullptr;
  idle_count_ = 0;
  thread_count_ = 0;
  first_waiting_ = last_waiting_ = nullptr;
  is_short_ = false;
  askers_ = 0;
}

// Gives the job to an idle thread, which the caller then unparks; null if there is none.
ThreadCache::IdleThread* ThreadCache::take_idle_locked(Job job) {
  IdleThread* const thread = idle_;
  if (thread == nullptr) return nullptr;
  idle_ = thread->next;
  --idle_count_;
  thread->job = job;
  thread->taken = true;
  return thread;
}

bool ThreadCache::start(Job job) {
  Flow* flow = nullptr;
  {
    MutexLock lock(mutex_);
    // The `IdleThread` is gone as soon as the lock is free and its owner looks.
    if (const IdleThread* thread = take_idle_locked(job)) flow = thread->flow;
  }
  if (flow != nullptr) {
    flow->unpark();
    return false;
  }
  create_thread(job);
  if (is_short_of_threads()) {  // there is one, so there may be more
    {
      MutexLock lock(mutex_);
      ask_at_ = TimePoint();
    }
    ask_again();
  }
  return true;
}

// --- Jobs that wait for a thread ---

void ThreadCache::start_when_possible(WaitingJob& job) noexcept {
  MutexLock lock(mutex_);
  if (const IdleThread* thread = take_idle_locked(job.job_)) return thread->flow->unpark();
  job.waits_ = true;
  job.previous_ = last_waiting_;
  job.next_ = nullptr;
  (first_waiting_ != nullptr ? last_waiting_->next_ : first_waiting_) = &job;
  last_waiting_ = &job;
  if (first_waiting_ != &job) return;
  is_short_.store(true, std::memory_order_seq_cst);  // see `Asleep`
  ask_at_ = TimePoint();
  pause_ = kFirstPause;
}

bool ThreadCache::withdraw(WaitingJob& job) noexcept {
  MutexLock lock(mutex_);
  if (!job.waits_) return false;
  take_out_locked(job);
  return true;
}

bool ThreadCache::waits(const WaitingJob& job) const noexcept {
  MutexLock lock(mutex_);
  return job.waits_;
}

void ThreadCache::take_out_locked(WaitingJob& job) noexcept {
  (job.previous_ != nullptr ? job.previous_->next_ : first_waiting_) = job.next_;
  (job.next_ != nullptr ? job.next_->previous_ : last_waiting_) = job.previous_;
  job.waits_ = false;
  if (first_waiting_ == nullptr) is_short_.store(false, std::memory_order_relaxed);
}

TimePoint ThreadCache::ask_again() noexcept {
  const TimePoint ask_at = ask_if_it_is_time();
  // Flows that have slept since before the shortage sleep without these times. Wakes some of them: each
  // checks its condition, goes to sleep again, and registers then.
  if (!ask_at.is_never() && askers_.load(std::memory_order_relaxed) == 0) Flow::wake_some(kMostAskers);
  return ask_at;
}

TimePoint ThreadCache::ask_if_it_is_time() noexcept {
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (first_waiting_ == nullptr) return TimePoint::never();
      if (now() < ask_at_) return ask_at_;
    }
    // Memory is allocated outside the lock; a lack of it counts as a shortage of threads.
    std::unique_ptr<ThreadStart> start;
    try {
      start = std::make_unique<ThreadStart>(this, Job{});
      start->flow = &Flow::reserve();
    } catch (const std::bad_alloc&) {
      start = nullptr;
    }
    MutexLock lock(mutex_);
    if (first_waiting_ == nullptr) return TimePoint::never();
    if (now() < ask_at_) return ask_at_;
    // The thread is made under the lock, so that a job is either withdrawn or has a thread. This is rare.
    bool made = false;
    if (start != nullptr) {
      start->job = first_waiting_->job_;
      count_new_thread_locked();
      made = launch(&ThreadCache::thread_main, start.get()) == 0;
      if (!made) uncount_thread_locked();
    }
    if (!made) {
      ask_at_ = after(pause_);
      pause_ = std::min(Duration::from_nanos(2 * pause_.nanos()), kLongestPause);
      return ask_at_;
    }
    static_cast<void>(start.release());  // the thread has it now
    take_out_locked(*first_waiting_);
  }
}

bool ThreadCache::begin_asking() noexcept {
  if (askers_.fetch_add(1, std::memory_order_relaxed) < kMostAskers) return true;
  // The others may all have left meanwhile, and the last of them has seen this one: then it is the only one.
  return askers_.fetch_sub(1, std::memory_order_relaxed) == 1 && begin_asking();
}

void ThreadCache::end_asking() noexcept {
  if (askers_.fetch_sub(1, std::memory_order_relaxed) == 1 && is_short_of_threads())
    Flow::wake_some(kMostAskers);
}

// --- Making threads ---

// Before it runs, so that its own leaving cannot come first.
void ThreadCache::count_new_thread_locked() {
  ++thread_count_;
  ++created_;
}

void ThreadCache::uncount_thread_locked() {
  --thread_count_;
  --created_;
}

void ThreadCache::create_thread(Job job) {
  auto start = std::make_unique<ThreadStart>(this, job);
  start->flow = &Flow::reserve();
  {
    MutexLock lock(mutex_);
    count_new_thread_locked();
  }
  if (const int error = launch(&ThreadCache::thread_main, start.get()); error != 0) {
    MutexLock lock(mutex_);
    uncount_thread_locked();
    throw std::system_error(error, std::generic_category(), "threadgroup: cannot create a thread");
  }
  static_cast<void>(start.release());  // the thread has it now
}

void* ThreadCache::thread_main(void* raw) {
  const std::unique_ptr<ThreadStart> start(static_cast<ThreadStart*>(raw));
  Flow::become(*std::exchange(start->flow, nullptr));
  // The kernel may round a timer by 50 us, which is a twentieth of a sleep of 1 ms; these threads ask for
  // none of it.
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  start->cache->serve(start->job);
  if (fork_generation() != start->generation)
    return nullptr;  // a forked child's counts never had this thread
  MutexLock lock(start->cache->mutex_);
  --start->cache->thread_count_;
  return nullptr;
}

void ThreadCache::serve(Job job) {
  const std::uint32_t generation = fork_generation();
  IdleThread self;
  self.flow = &Flow::current();
  do {
    static_cast<void>(self.flow->has_slept());  // as it waited for the job
    job.run(job.argument);
    // A job that forked and came back in the child: the child's cache does not know this thread.
    if (fork_generation() != generation) return;
  } while (wait_for_job(self, job));
}

bool ThreadCache::wait_for_job(IdleThread& self, Job& job) {
  TimePoint idle_until;
  {
    MutexLock lock(mutex_);
    if (first_waiting_ != nullptr) {
      job = first_waiting_->job_;
      take_out_locked(*first_waiting_);
      return true;
    }
    if (retiring_ || idle_count_ >= max_idle_) return false;
    self.taken = false;
    self.job = Job{};
    self.next = idle_;
    idle_ = &self;
    ++idle_count_;
    idle_until = after(idle_time_);
  }
  // After a job that slept there may be no processor to spare: the flow that woke it is likely to wait for the
  // one on which it runs. And what a sleep costs is more than spinning could save.
  if (!self.flow->has_slept()) tg::detail::spin_briefly([&self] { return self.flow->has_permit(); });
  TimePoint rename_at = after(kKeepsNameFor);
  for (;;) {
    self.flow->park_until(rename_at < idle_until ? rename_at : idle_until);
    const TimePoint t = now();
    bool rename = false;
    {
      MutexLock lock(mutex_);
      if (self.taken) {
        job = self.job;
        return job.run != nullptr;
      }
      if (t >= idle_until) {
        IdleThread** link = &idle_;
        while (*link != &self) link = &(*link)->next;
        *link = self.next;
        --idle_count_;
        return false;
      }
      rename = t >= rename_at;
    }
    if (rename) {
      rename_at = TimePoint::never();
      self.flow->set_os_name(kIdleName);
    }
  }
}

ThreadCache::IdleThread* ThreadCache::take_surplus_locked() {
  if (idle_count_ <= (retiring_ ? 0 : max_idle_)) return nullptr;
  return take_idle_locked(Job{});  // with no job it ends
}

void ThreadCache::set_limits(std::size_t max_idle, Duration idle_time) {
  {
    MutexLock lock(mutex_);
    max_idle_ = max_idle;
    idle_time_ = idle_time;
  }
  for (;;) {
    Flow* flow = nullptr;
    {
      MutexLock lock(mutex_);
      IdleThread* thread = take_surplus_locked();
      if (thread == nullptr) return;
      flow = thread->flow;
    }
    flow->unpark();
  }
}

ThreadCache::Statistics ThreadCache::statistics() const {
  MutexLock lock(mutex_);
  return Statistics{created_, thread_count_, idle_count_};
}

void ThreadCache::retire_idle_threads(TimePoint deadline) {
  std::size_t retired = 0;
  std::size_t before = 0;
  {
    MutexLock lock(mutex_);
    retiring_ = true;
    before = thread_count_;
  }
  for (;;) {
    Flow* flow = nullptr;
    {
      MutexLock lock(mutex_);
      IdleThread* thread = take_surplus_locked();
      if (thread == nullptr) break;
      flow = thread->flow;
    }
    flow->unpark();
    ++retired;
  }
  // They are detached, so there is nothing to join; the count falls as each one leaves.
  Flow& me = Flow::current();
  while (now() < deadline) {
    {
      MutexLock lock(mutex_);
      if (thread_count_ + retired <= before) break;
    }
    me.park_until(after(Duration::from_nanos(200'000)));
  }
  MutexLock lock(mutex_);
  retiring_ = false;
}

}  // namespace tg::inline v0::runtime

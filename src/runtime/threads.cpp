// SPDX-License-Identifier: Apache-2.0
// Making OS threads, and what they do between two jobs.
#include <pthread.h>
#include <sys/prctl.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include <threadgroup/base/spin.hpp>
#include <threadgroup/runtime/clock.hpp>
#include <threadgroup/runtime/flow.hpp>
#include <threadgroup/runtime/fork.hpp>
#include <threadgroup/runtime/threads.hpp>

namespace tg::runtime {

using tg::detail::MutexLock;

namespace {
// A thread keeps the name of its last group for this long, then says that it is idle. Renaming at once would
// cost two system calls in every use of a short-lived group.
constexpr Duration kKeepsNameFor = Duration::from_nanos(50'000'000);
const std::string kIdleName = "tg-idle";

struct ThreadStart {
  ThreadCache* const cache;
  const Job job;
  const std::uint32_t generation;
  // Made here, where a lack of memory can be told, and not by the thread, where nobody could hear of it.
  Flow* flow = nullptr;

  ThreadStart(ThreadCache* of, Job first) : cache(of), job(first), generation(fork_generation()) {}
  ThreadStart(const ThreadStart&) = delete;
  ThreadStart& operator=(const ThreadStart&) = delete;
  ~ThreadStart() {
    if (flow != nullptr) Flow::give_back(*flow);
  }
};
}  // namespace

// An idle thread's place in the stack; it lives on that thread's stack, and whoever takes it out under the
// lock gives it a job (or none: then it ends) before it unparks the flow.
struct ThreadCache::IdleThread {
  Flow* flow = nullptr;
  IdleThread* next = nullptr;
  Job job;             // written under the cache's lock by whoever takes the thread out
  bool taken = false;  // likewise
};

ThreadCache& ThreadCache::instance() {
  static ThreadCache* const cache = new ThreadCache;
  return *cache;
}

ThreadCache::ThreadCache() {
  hold_across_forks([]() -> tg::detail::Mutex& { return instance().mutex_; },
                    []() TG_NO_THREAD_SAFETY_ANALYSIS { instance().forget_threads_after_fork(); });
}

void ThreadCache::forget_threads_after_fork() {
  idle_ = nullptr;
  idle_count_ = 0;
  thread_count_ = 0;
}

bool ThreadCache::start(Job job) {
  Flow* flow = nullptr;
  {
    MutexLock lock(mutex_);
    if (idle_ != nullptr) {
      IdleThread* thread = idle_;
      idle_ = thread->next;
      --idle_count_;
      thread->job = job;
      thread->taken = true;
      flow = thread->flow;  // `thread` is gone as soon as the lock is free and its owner looks
    }
  }
  if (flow == nullptr) {
    create_thread(job);
    return true;
  }
  flow->unpark();
  return false;
}

void ThreadCache::create_thread(Job job) {
  auto start = std::make_unique<ThreadStart>(this, job);
  start->flow = &Flow::reserve();
  bool inject = false;
  {
    MutexLock lock(mutex_);
    inject = failures_to_inject_ > 0 && failures_to_inject_-- > 0;
    if (!inject) {
      ++thread_count_;  // before it runs, so that its own leaving cannot come first
      ++created_;
    }
  }
  if (inject)
    throw std::system_error(EAGAIN, std::generic_category(),
                            "threadgroup: cannot create a thread (injected)");

  pthread_attr_t attributes;
  int error = ::pthread_attr_init(&attributes);
  if (error == 0) {
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread{};
    error = ::pthread_create(&thread, &attributes, &ThreadCache::thread_main, start.get());
    ::pthread_attr_destroy(&attributes);
  }
  if (error != 0) {
    MutexLock lock(mutex_);
    --thread_count_;
    --created_;
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
    job.run(job.argument);
    // A job that forked and came back in the child: the child's cache does not know this thread.
    if (fork_generation() != generation) return;
  } while (wait_for_job(self, job));
}

bool ThreadCache::wait_for_job(IdleThread& self, Job& job) {
  TimePoint idle_until;
  {
    MutexLock lock(mutex_);
    if (retiring_ || idle_count_ >= max_idle_) return false;
    self.taken = false;
    self.job = Job{};
    self.next = idle_;
    idle_ = &self;
    ++idle_count_;
    idle_until = after(idle_time_);
  }
  tg::detail::spin_briefly([&self] { return self.flow->has_permit(); });
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
  IdleThread* thread = idle_;
  idle_ = thread->next;
  --idle_count_;
  thread->taken = true;  // with no job: it ends
  return thread;
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

void ThreadCache::inject_creation_failures(int count) {
  MutexLock lock(mutex_);
  failures_to_inject_ = count;
}

}  // namespace tg::runtime

// SPDX-License-Identifier: Apache-2.0
// Starts flows: a process-wide cache of idle OS threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include <threadgroup/base/annotations.hpp>
#include <threadgroup/base/duration.hpp>
#include <threadgroup/base/mutex.hpp>

namespace tg::runtime {

/// What a started flow does: one call. It must not throw.
struct Job {
  void (*run)(void* argument) noexcept = nullptr;
  void* argument = nullptr;
};

/// The OS threads that the library has made: those at work and those that wait for the next job.
///
///     ThreadCache::instance().start({&serve, &connection});
///
/// Guarantees: `start` takes an idle thread if there is one (the last to become idle, whose caches are warm),
/// else makes one. A thread idle for longer than the idle time ends, and so does one that would be idle
/// beyond the limit. Thread safety: everything from any thread. Lifetime: never destroyed, so that it
/// outlives every static object that still has work.
class ThreadCache {
 public:
  static constexpr std::size_t kDefaultMaxIdle = 256;
  static constexpr Duration kDefaultIdleTime = Duration::from_nanos(10'000'000'000);

  struct Statistics {
    std::uint64_t created = 0;  // threads made since the start
    std::size_t threads = 0;    // alive now
    std::size_t idle = 0;       // of them, waiting for a job
  };

  static ThreadCache& instance();

  /// Runs the job on a thread of its own; true if that was made for it. Throws `std::system_error` or
  /// `std::bad_alloc` if a thread is needed and cannot be made; then the job will not run.
  bool start(Job job);

  /// How many threads may wait for work, and for how long. Threads idle beyond the new limit end.
  void set_limits(std::size_t max_idle, Duration idle_time);
  Statistics statistics() const;

  /// Ends the idle threads and makes those at work end after their job, and waits for the idle ones until the
  /// deadline. For the end of the process; a later `start` works, with a new thread.
  void retire_idle_threads(TimePoint deadline);

  /// For tests: the next `count` attempts to make a thread fail as if the system had none left.
  void inject_creation_failures(int count);

 private:
  struct IdleThread;

  ThreadCache();
  static void* thread_main(void* start);
  void serve(Job job);
  bool wait_for_job(IdleThread& self, Job& job);
  IdleThread* take_surplus_locked() TG_REQUIRES(mutex_);
  void create_thread(Job job);
  void forget_threads_after_fork() TG_REQUIRES(mutex_);

  mutable tg::detail::Mutex mutex_;
  IdleThread* idle_ TG_GUARDED_BY(mutex_) = nullptr;  // a stack: the last to come is the first to go
  std::size_t idle_count_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t thread_count_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t created_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t max_idle_ TG_GUARDED_BY(mutex_) = kDefaultMaxIdle;
  Duration idle_time_ TG_GUARDED_BY(mutex_) = kDefaultIdleTime;
  bool retiring_ TG_GUARDED_BY(mutex_) = false;
  int failures_to_inject_ TG_GUARDED_BY(mutex_) = 0;
};

}  // namespace tg::runtime

// SPDX-License-Identifier: Apache-2.0
// Starts flows: a process-wide cache of idle OS threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include <threadgroup/detail/annotations.hpp>
#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/duration.hpp>

namespace tg::inline v0::runtime {

/// What a started flow does: one call. It must not throw.
struct Job {
  void (*run)(void* argument) noexcept = nullptr;
  void* argument = nullptr;
};

/// A job for which there may be no thread yet. It stays in place until it runs or was withdrawn.
class WaitingJob {
 public:
  explicit constexpr WaitingJob(Job job) noexcept : job_(job) {}
  WaitingJob(const WaitingJob&) = delete;
  WaitingJob& operator=(const WaitingJob&) = delete;

 private:
  friend class ThreadCache;
  const Job job_;
  // Guarded by the cache's lock.
  WaitingJob* previous_ = nullptr;
  WaitingJob* next_ = nullptr;
  bool waits_ = false;
};

/// The OS threads that the library has made: those at work and those that wait for the next job.
///
///     ThreadCache::instance().start({&serve, &connection});
///
/// Guarantees: `start` takes an idle thread if there is one (the last to become idle, whose caches are warm),
/// else makes one. A thread idle for longer than the idle time ends, and so does one that would be idle
/// beyond the limit.
///
/// If the system refuses to create a thread, a `WaitingJob` can be left here. It gets the first thread of the
/// cache that finishes its job. The cache also asks the system again: whenever it has created a thread for
/// another job, and after a pause that grows from 1 ms to 1 s. It has no timer thread, which could not be
/// created during a shortage either; instead, flows that sleep in the library wake at those times (see
/// `ask_again`). So the system is not asked while every flow of the process is busy or blocked in foreign
/// code.
///
/// Thread safety: everything from any thread.
/// Lifetime: never destroyed, so that it outlives every static object that still has work.
class ThreadCache {
 public:
  static constexpr std::size_t kDefaultMaxIdle = 256;
  static constexpr Duration kDefaultIdleTime = Duration::from_nanos(10'000'000'000);

  struct Statistics {
    std::uint64_t created = 0;  // threads made since the start
    std::size_t threads = 0;    // alive now
    std::size_t idle = 0;       // of them, waiting for a job
  };

  static ThreadCache& instance() noexcept { return only_; }

  /// Runs the job on a thread of its own; true if that was made for it. Throws `std::system_error` or
  /// `std::bad_alloc` if a thread is needed and cannot be made; then the job will not run.
  TG_EXPORT bool start(Job job);

  /// Runs the job on an idle thread, or else as soon as there is a thread for it. The caller may hold a lock;
  /// it calls `ask_again` once it holds none.
  void start_when_possible(WaitingJob& job) noexcept;
  /// Takes the job back. False if it does not wait: it runs or is about to.
  bool withdraw(WaitingJob& job) noexcept;
  bool waits(const WaitingJob& job) const noexcept;
  /// Asks the system for threads for the jobs that wait, if the time for that has come. Returns the next such
  /// time, or `never` if no job waits. For flows that are about to sleep: they wake at that time and call it
  /// again.
  TimePoint ask_again() noexcept;
  /// Whether a job waits for a thread. One load.
  static bool is_short_of_threads() noexcept { return is_short_.load(std::memory_order_seq_cst); }
  /// Registers the caller as a flow that wakes to call `ask_again`. False if enough flows do so already. A
  /// registered flow calls `end_asking` later; when the last one does, some sleeping flows are woken to take
  /// over.
  bool begin_asking() noexcept;
  void end_asking() noexcept;

  // Only tests call these two so far.

  /// How many threads may wait for work, and for how long. Threads idle beyond the new limit end.
  void set_limits(std::size_t max_idle, Duration idle_time);
  Statistics statistics() const;

  /// Ends the idle threads and makes those at work end after their job, and waits for the idle ones until the
  /// deadline. For the end of the process; a later `start` works, with a new thread.
  void retire_idle_threads(TimePoint deadline);

  /// Called once, while the library is loaded.
  static void hold_across_forks();

 private:
  struct IdleThread;

  constexpr ThreadCache() = default;
  TG_EXPORT static ThreadCache only_;
  static void* thread_main(void* start);
  void serve(Job job);
  bool wait_for_job(IdleThread& self, Job& job);
  IdleThread* take_surplus_locked() TG_REQUIRES(mutex_);
  IdleThread* take_idle_locked(Job job) TG_REQUIRES(mutex_);
  void take_out_locked(WaitingJob& job) noexcept TG_REQUIRES(mutex_);
  TimePoint ask_if_it_is_time() noexcept;
  void count_new_thread_locked() TG_REQUIRES(mutex_);
  void uncount_thread_locked() TG_REQUIRES(mutex_);
  void create_thread(Job job);
  void forget_threads_after_fork() TG_REQUIRES(mutex_);

  static tg::detail::Atomic<bool>
      is_short_;                       // atomic: written under `mutex_`, read without by those about to sleep
  tg::detail::Atomic<int> askers_{0};  // atomic: each counts itself

  mutable tg::detail::Mutex mutex_;
  IdleThread* idle_ TG_GUARDED_BY(mutex_) = nullptr;  // a stack: the last to come is the first to go
  std::size_t idle_count_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t thread_count_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t created_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t max_idle_ TG_GUARDED_BY(mutex_) = kDefaultMaxIdle;
  Duration idle_time_ TG_GUARDED_BY(mutex_) = kDefaultIdleTime;
  bool retiring_ TG_GUARDED_BY(mutex_) = false;
  // While a job waits, no thread is idle.
  WaitingJob* first_waiting_ TG_GUARDED_BY(mutex_) = nullptr;
  WaitingJob* last_waiting_ TG_GUARDED_BY(mutex_) = nullptr;
  TimePoint ask_at_ TG_GUARDED_BY(mutex_);
  Duration pause_ TG_GUARDED_BY(mutex_);
};

}  // namespace tg::inline v0::runtime

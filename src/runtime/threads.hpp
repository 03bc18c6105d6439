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

#include "runtime/flow.hpp"
#include "runtime/idle_threads.hpp"
#include "runtime/shortage.hpp"
#include "runtime/thread_requests.hpp"

namespace tg::inline v0::runtime {

/// Throws what says that the system has refused a thread: `std::system_error`, or `std::bad_alloc`.
[[noreturn]] void throw_refusal(int error);

/// The OS threads that the library has made: those at work and those that wait for the next job.
///
///     if (cache.request(request, false, error) == ThreadCache::Requested::refused) ...
///
/// Requests are in one list, first come, first served. A thread that has finished its job takes the next
/// request from the list before it goes to sleep. So many short jobs, each of another group, cost one wake-up
/// instead of one for each.
///
/// Guarantees: the last thread to become idle, whose caches are warm, is the first to be woken. A thread idle
/// for longer than the idle time ends; those beyond the limit end after a moment, or at once if it is zero.
///
/// Invariant
///   A1. While a request is in the list, a thread is coming for it, or the system has refused a thread
///       (`is_short_`). One is enough, because a thread that comes sends for the next one before it runs its
///       job.
///
/// If the system refuses to create a thread, a request can be left here. It gets the first thread of the
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

  /// The cache of the caller's engine, else that of the process.
  static ThreadCache& instance() noexcept { return part_of_caller(only_, Engine::Part::threads); }

  /// Runs the job on a thread of its own, whatever is in the list. Throws `std::system_error` or
  /// `std::bad_alloc` if a thread is needed and cannot be made; then the job will not run.
  TG_EXPORT void start(Job job);

  enum class Requested { queued, woken, made, refused };
  /// Requests one more thread: puts the request into the list. If no thread is coming for the list, or if
  /// `even_if_one_is_coming`, wakes an idle thread or makes one. If that fails, `error` says why, and the
  /// request has been withdrawn.
  Requested request(ThreadRequest& request, bool even_if_one_is_coming, int& error) noexcept;
  /// Leaves the request for a thread with the cache, after the system has refused one. The caller may hold a
  /// lock; it calls `ask_again` once it holds none.
  void request_when_possible(ThreadRequest& request) noexcept;
  /// Takes back the request for one thread. False if it has its thread already.
  bool withdraw(ThreadRequest& request) noexcept;
  /// Why the system has refused a thread, and how many threads the request in the list still waits for.
  struct Refusal {
    int error = 0;
    std::uint32_t threads = 0;
  };
  Refusal refusal_of(const ThreadRequest& request) const noexcept;
  /// Asks the system again for a thread that it has refused, if the time for that has come. Returns the next
  /// such time, or `never` if there is no shortage. For flows that are about to sleep: they wake at that time
  /// and call it again.
  TimePoint ask_again() noexcept;
  /// Whether requests wait because the system has refused a thread. One load.
  bool is_short_of_threads() const noexcept { return is_short_.load(std::memory_order_seq_cst); }
  /// Whether a request is in the list, even if a thread is coming for it. One load, and only a hint: for a
  /// job that looks for further work before it ends.
  bool has_requests() const noexcept { return has_requests_.load(std::memory_order_relaxed); }
  /// Registers the caller as a flow that wakes to call `ask_again`. False if enough flows do so already. A
  /// registered flow calls `end_asking` later; when the last one does, some sleeping flows are woken to take
  /// over.
  bool begin_asking() noexcept;
  void end_asking() noexcept;

  // Only tests call these two so far.

  /// How many threads may wait for work, and for how long. Threads idle beyond the new limit end.
  TG_EXPORT void set_limits(std::size_t max_idle, Duration idle_time);
  Statistics statistics() const;

  /// Ends the idle threads and makes those at work end after their job, and waits for the idle ones until the
  /// deadline. For the end of the process; a later `start` works, with a new thread.
  void retire_idle_threads(TimePoint deadline);

  /// Called once, while the library is loaded.
  static void hold_across_forks();

 private:
  constexpr ThreadCache() = default;
  TG_EXPORT static ThreadCache only_;
  static void thread_main(Job first) noexcept;
  void serve(Job job);
  bool wait_for_job(IdleThread& self, Job& job);
  IdleThread::Call wait_for_call(IdleThread& self, Duration idle_time) noexcept;
  bool come_for_request(Job& job) noexcept;
  Job take_request_locked() noexcept TG_REQUIRES(mutex_);
  void requests_became_fewer_locked() noexcept TG_REQUIRES(mutex_);
  Flow* send_one_locked() noexcept TG_REQUIRES(mutex_);
  bool make_for_list(ThreadRequest* own, int& error) noexcept;
  std::size_t end_surplus() noexcept;
  void become_short_locked() noexcept TG_REQUIRES(mutex_);
  TimePoint ask_if_it_is_time() noexcept;
  int create_thread(Job job) noexcept;
  void forget_threads() TG_REQUIRES(mutex_);

  // Atomic: written under `mutex_`, read without it by flows about to sleep, and by jobs that look for work.
  tg::detail::Atomic<bool> is_short_{false};
  tg::detail::Atomic<bool> has_requests_{false};
  Askers askers_;

  mutable tg::detail::Mutex mutex_;
  IdleStack idle_ TG_GUARDED_BY(mutex_);
  std::size_t thread_count_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t created_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t max_idle_ TG_GUARDED_BY(mutex_) = kDefaultMaxIdle;
  Duration idle_time_ TG_GUARDED_BY(mutex_) = kDefaultIdleTime;
  bool retiring_ TG_GUARDED_BY(mutex_) = false;
  RequestList requests_ TG_GUARDED_BY(mutex_);
  std::uint32_t coming_ TG_GUARDED_BY(mutex_) = 0;  // threads that were woken or made for the list
  Shortage shortage_ TG_GUARDED_BY(mutex_);
};

}  // namespace tg::inline v0::runtime

// SPDX-License-Identifier: Apache-2.0
// Shutting groups down in stages: drain, stop, report; and doing so on SIGTERM.
#pragma once

#include <csignal>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/statistics.hpp>
#include <threadgroup/thread_group.hpp>

namespace tg {
inline namespace v0 {

namespace detail {
class SignalWatch;
}

/// How long each stage of a shutdown may take. The times are for the whole subtree, not for each group.
struct ShutdownPlan {
  /// How long the groups may finish what they have. Until then they take no task from outside. Zero: they are
  /// stopped at once.
  Duration drain = {};
  /// How long the tasks have to end once they are stopped.
  Duration stop = Duration::from_nanos(5'000'000'000);
};

/// How a shutdown went.
struct TG_EXPORT ShutdownReport {
  /// A task that ran on when the time was up.
  struct TaskLeft {
    std::string path;  ///< of its group: "MainThread/web/connection 17"
    RunningTask task;  ///< name, age, what it waits for, where it was added
  };
  /// A call of `abandonable` that runs on although its caller was stopped.
  struct CallLeft {
    std::string name;    ///< the name of the call: "getaddrinfo of db.example"
    AbandonedCall call;  ///< who has abandoned it, and when
  };

  bool drained = false;  ///< all tasks had ended before the groups were stopped
  Duration drain_took;   ///< how long the first stage took
  Duration stop_took;    ///< how long the second one took
  /// How the tasks of the subtree have ended since the call, and how many are left. A group that was made and
  /// destroyed meanwhile may be missing.
  GroupStatistics counts;
  std::optional<StopLatency> slowest_stop;  ///< of the group that was the slowest to stop, if any had to
  std::vector<TaskLeft> ran_over;           ///< the tasks that still run, the oldest first
  std::vector<CallLeft> left_behind;        ///< the abandoned calls that still run

  /// True if no task is left.
  explicit operator bool() const noexcept { return counts.idle() && ran_over.empty(); }
  /// A text for people, such as
  ///
  ///     drained in 0.32 s: 12 succeeded, 3 skipped
  ///     not drained in 1.00 s; stopped in 0.01 s: 3 succeeded, 4 stopped, 2 skipped
  ///     stopped, but 1 task runs on after 5.00 s: 3 stopped
  ///       MainThread/web: 'fetch 17' (for 12.0 s; waits for a condition for 9.9 s; added at main.cpp:42)
  ///     stopped in 0.01 s: 1 stopped
  ///       call 'getaddrinfo', abandoned by 'MainThread/web' 0.0 s ago
  std::string str() const;
};

/// Shuts down all groups of the process when a signal asks for it. Make one at the start of `main`:
///
///     int main() {
///       tg::SignalShutdown on_signal({.drain = 3s, .stop = 2s});
///       Service service;
///       std::cerr << on_signal.wait().str() << '\n';
///     }
///
/// The first signal shuts the groups down as planned; the reason is of kind `signal`. The second one ends the
/// drain. The third one ends the process, as if the program had not asked for the signal. If tasks run over, the
/// report is written to stderr.
///
/// Requires: there is one at a time; the constructor throws `std::logic_error` otherwise, and in a simulation.
/// Guarantees: it works while all threads are blocked and all groups are full, whichever thread made them and
/// when, and if every other thread blocks the signals: it has a thread of its own. A handler that the program
/// had installed is called, too, for each signal but the third. System calls that a signal interrupts are
/// restarted (`SA_RESTART`), unless that handler was installed without this flag.
/// Thread safety: everything from any thread, except for the destructor.
/// Lifetime: the destructor waits for a shutdown that has begun, and restores the actions that it found. If
/// the program has installed another handler meanwhile, that one stays; if it calls the handler that it has
/// replaced, that call goes on to the handler before. In a forked child the signals do what they did before
/// the object was made.
class TG_EXPORT SignalShutdown {
 public:
  /// A signal that is named twice counts once. Throws `std::invalid_argument` for one that cannot be caught, and
  /// `std::system_error` if there is no thread.
  explicit SignalShutdown(ShutdownPlan plan, std::initializer_list<int> signals = {SIGINT, SIGTERM});
  ~SignalShutdown();
  SignalShutdown(const SignalShutdown&) = delete;
  SignalShutdown& operator=(const SignalShutdown&) = delete;

  /// The number of the first signal that came; 0 before.
  int signal() const noexcept;
  /// How the shutdown went, once it is over.
  std::optional<ShutdownReport> report() const;
  /// Waits until a signal has come and the shutdown is over, for a `main` that has nothing else to do. No
  /// event ends this wait.
  ShutdownReport wait();

 private:
  std::shared_ptr<detail::SignalWatch> watch_;
};

}  // namespace v0
}  // namespace tg

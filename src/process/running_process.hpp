// SPDX-License-Identifier: Apache-2.0
// A command that was started: its supervisor, its output, and how it has ended.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/fork_generation.hpp>
#include <threadgroup/process.hpp>

#include "process/launch.hpp"
#include "process/output_reader.hpp"
#include "process/supervisor.hpp"

namespace tg::inline v0::detail {

/// What a `Process` owns.
///
/// Thread safety: one thread at a time; `send_signal` from any.
class RunningProcess {
 public:
  /// Starts the command, unless the caller is stopped. `captures`: an automatic output is captured, not inherited.
  RunningProcess(const std::vector<std::string>& command, ProcessOptions options, bool captures);
  /// Ends what still runs, unless this is a forked child.
  ~RunningProcess();
  RunningProcess(const RunningProcess&) = delete;
  RunningProcess& operator=(const RunningProcess&) = delete;

  ExitStatus wait();
  bool send_signal(int number) noexcept;
  pid_t pid() const noexcept { return launched_.command; }
  process::OutputReader& out() noexcept { return out_; }
  process::OutputReader& err() noexcept { return err_; }

 private:
  void pump();
  bool is_forked() const noexcept;
  bool poll(bool can_be_stopped);
  void take_reports() noexcept;
  void end(bool is_lost) noexcept;
  void order_end() noexcept;
  bool send(process::Order order) noexcept;

  const std::string name_;
  const Duration grace_;
  const std::uint32_t generation_ = runtime::fork_generation();
  process::Launched launched_;
  process::OutputReader out_;
  process::OutputReader err_;
  ExitStatus status_;
  Atomic<bool> has_exited_{false};  // atomic: `send_signal` reads it on any thread
  int left_ = 0;                    // descendants that could not be killed
  bool wants_end_ = false;
  bool is_ending_ = false;  // the supervisor has the order
  bool is_over_ = false;
  bool is_lost_ = false;  // the supervisor ended without its last report
};

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// The face of a command.
#include <threadgroup/process.hpp>

#include <csignal>
#include <cstring>
#include <stdexcept>

#include "process/running_process.hpp"

namespace tg::inline v0 {

std::string ExitStatus::text() const {
  std::string how = "not started";
  if (signal != 0) {
    const char* const name = ::sigdescr_np(signal);
    how = "killed by signal " + std::to_string(signal) + " (" + (name != nullptr ? name : "unknown") + ")";
  } else if (code >= 0) {
    how = "exited with " + std::to_string(code);
  }
  return stopped ? "stopped: " + how : how;
}

Process::Process(const std::vector<std::string>& command, ProcessOptions options)
    : process_(std::make_unique<detail::RunningProcess>(command, std::move(options), false)) {}

Process::~Process() = default;
Process::Process(Process&&) noexcept = default;

pid_t Process::pid() const noexcept { return process_->pid(); }

ExitStatus Process::wait() { return process_->wait(); }

bool Process::send_signal(int number) {
  if (number <= 0 || number > SIGRTMAX)
    throw std::invalid_argument("tg::Process::send_signal: " + std::to_string(number) + " is no signal");
  return process_->send_signal(number);
}

const std::string& Process::out() const noexcept { return process_->out().text(); }
const std::string& Process::err() const noexcept { return process_->err().text(); }
std::uint64_t Process::out_lost() const noexcept { return process_->out().lost(); }
std::uint64_t Process::err_lost() const noexcept { return process_->err().lost(); }

ProcessResult run_process(const std::vector<std::string>& command, ProcessOptions options) {
  detail::RunningProcess process(command, std::move(options), true);
  ProcessResult result;
  result.status = process.wait();
  result.out = process.out().take_text();
  result.err = process.err().take_text();
  result.out_lost = process.out().lost();
  result.err_lost = process.err().lost();
  return result;
}

}  // namespace tg::inline v0

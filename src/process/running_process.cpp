// SPDX-License-Identifier: Apache-2.0
// Preparing the descriptors, waiting, and ending.
#include "process/running_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <exception>
#include <stdexcept>
#include <utility>

#include <threadgroup/errors.hpp>

#include "posix/covered_call.hpp"
#include "process/errors.hpp"
#include "runtime/engine.hpp"
#include "runtime/own_calls.hpp"

namespace tg::inline v0::detail {

using process::Descriptor;
using process::Order;
using process::OutputReader;
using process::Report;

namespace {

Descriptor open(const std::string& path, int flags) {
  process::refuse_null_byte(path);
  Descriptor file(runtime::own::open(path.c_str(), flags | O_CLOEXEC, 0666));
  if (!file) process::throw_error(errno, "cannot open `" + path + "`");
  return process::moved_up(std::move(file), "an open file");
}

// The program's own, unless it has closed it.
Descriptor own_or_nothing(int fd, int flags) {
  return ::fcntl(fd, F_GETFD) >= 0 ? process::copy_of(fd, "a standard descriptor") : open("/dev/null", flags);
}

Descriptor given(int fd) { return process::copy_of(fd, ("descriptor " + std::to_string(fd)).c_str()); }

// Text in a file in memory: the command may be slow to read it, or not read it at all.
Descriptor holding(const std::string& text) {
  Descriptor made(::memfd_create("tg-input", MFD_CLOEXEC));
  if (!made) process::throw_error(errno, "cannot create a file in memory for the input");
  Descriptor file = process::moved_up(std::move(made), "the file of the input");
  process::write_all(file, text.data(), text.size(), "the input into memory");
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

Descriptor source_of(const Input& input) {
  switch (input.kind()) {
    case Input::Kind::inherited:
      return own_or_nothing(STDIN_FILENO, O_RDONLY);
    case Input::Kind::text:
      return holding(input.value());
    case Input::Kind::file:
      return open(input.value(), O_RDONLY);
    case Input::Kind::descriptor:
      return given(input.fd());
    case Input::Kind::nothing:
      break;
  }
  return open("/dev/null", O_RDONLY);
}

// Where the command writes. What the program reads goes to `reader`.
Descriptor sink_of(Output& output, int own, bool captures, int out, OutputReader& reader) {
  if (output.kind() == Output::Kind::automatic) output = captures ? Output::captured() : Output::inherited();
  switch (output.kind()) {
    case Output::Kind::nothing:
      return open("/dev/null", O_WRONLY);
    case Output::Kind::descriptor:
      return given(output.fd());
    case Output::Kind::file:
      return open(output.path(), O_WRONLY | O_CREAT | (output.append() ? O_APPEND : O_TRUNC));
    case Output::Kind::same_as_out:
      if (out < 0) throw std::invalid_argument("tg::Process: `same_as_out` is for the error output");
      return given(out);
    case Output::Kind::captured:
    case Output::Kind::lines: {
      if (output.kind() == Output::Kind::lines && !output.function())
        throw std::invalid_argument("tg::Process: Output::lines needs a function");
      std::array<int, 2> ends{};
      if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        process::throw_error(errno, "cannot create a pipe for the output");
      Descriptor reading(ends[0]);
      Descriptor writing(ends[1]);
      ::fcntl(reading.get(), F_SETFL, O_NONBLOCK);
      reader = OutputReader(std::move(output), process::moved_up(std::move(reading), "a pipe"));
      return process::moved_up(std::move(writing), "a pipe");
    }
    case Output::Kind::automatic:
    case Output::Kind::inherited:
      break;
  }
  return own_or_nothing(own, O_WRONLY);
}

void take_usage(ExitStatus& status, const Report& report) {
  status.user_time = Duration::from_nanos(report.user_micros * 1'000);
  status.system_time = Duration::from_nanos(report.system_micros * 1'000);
  status.max_memory_bytes = report.max_rss_kib * 1'024;
}

}  // namespace

RunningProcess::RunningProcess(const std::vector<std::string>& command, ProcessOptions options, bool captures)
    : name_(command.empty() ? std::string() : command.front()), grace_(options.grace) {
  runtime::refuse_real_io("tg::Process");
  const CoveredCall call("a command");
  if (call && call.is_stopped()) {
    status_.stopped = true;
    is_over_ = true;
    return;
  }
  if (call) call.prepare();  // may throw, so before the command runs
  const Descriptor in = source_of(options.input);
  const Descriptor out = sink_of(options.out, STDOUT_FILENO, captures, -1, out_);
  const Descriptor err = sink_of(options.err, STDERR_FILENO, captures, out.get(), err_);
  launched_ = process::launch(command, options, {in.get(), out.get(), err.get()});
}

RunningProcess::~RunningProcess() {
  if (is_over_ || is_forked()) return;
  wants_end_ = true;
  out_.close();
  err_.close();
  while (!is_over_) poll(false);
}

bool RunningProcess::is_forked() const noexcept { return generation_ != runtime::fork_generation(); }

ExitStatus RunningProcess::wait() {
  if (is_forked())
    throw ForkedError("tg::Process: `" + name_ +
                      "` belongs to the process that has started it; start a new one in the child process");
  std::exception_ptr failure;
  while (!is_over_) {
    try {
      pump();
    } catch (...) {
      if (failure == nullptr) failure = std::current_exception();
      out_.discard();
      err_.discard();
      wants_end_ = true;
    }
  }
  if (failure != nullptr) std::rethrow_exception(failure);
  if (is_lost_) {
    throw std::runtime_error("tg::Process: the supervisor of `" + name_ +
                             "` was killed; what the command has started may still run");
  }
  if (left_ > 0) {
    throw std::runtime_error("tg::Process: processes of `" + name_ +
                             "` that belong to another user still run: " + std::to_string(left_));
  }
  return status_;
}

void RunningProcess::pump() {
  while (!is_over_) {
    const bool is_stopped = !poll(!wants_end_);
    if (is_stopped && !is_over_) {
      status_.stopped = !has_exited_.load(std::memory_order_relaxed);
      wants_end_ = true;
    }
    out_.read();
    err_.read();
  }
  out_.finish();
  err_.finish();
}

// Waits for output, a report or the supervisor's end, and takes the reports. Returns false if the caller is stopped.
bool RunningProcess::poll(bool can_be_stopped) {
  if (wants_end_ && !is_ending_) order_end();
  std::array<pollfd, 4> fds{pollfd{launched_.control.get(), POLLIN, 0}, pollfd{out_.fd(), POLLIN, 0},
                            pollfd{err_.fd(), POLLIN, 0}, pollfd{launched_.supervisor.get(), POLLIN, 0}};
  bool is_stopped = false;
  if (can_be_stopped) {
    const CoveredCall call("a command");
    if (call) {
      const long result =
          call.make_raw(SYS_ppoll, fds.data(), fds.size(), nullptr, nullptr, runtime::kMaskBytes);
      is_stopped = result == -ECANCELED;
    } else {
      runtime::own::poll(fds.data(), fds.size(), -1);
    }
  } else {
    constexpr int kOrdersAgainAfter = 10;  // milliseconds
    runtime::own::poll(fds.data(), fds.size(), is_ending_ ? -1 : kOrdersAgainAfter);
  }
  take_reports();
  // The supervisor has ended, and its reports are read. The socket may not say so: a fork of the program may hold its other end.
  if (!is_over_ && (fds[3].revents & POLLIN) != 0) {
    end(true);
  }
  return !is_stopped;
}

void RunningProcess::take_reports() noexcept {
  while (!is_over_) {
    Report report{};
    const ssize_t got = runtime::own::recv(launched_.control.get(), &report, sizeof report, MSG_DONTWAIT);
    // ECONNRESET: the supervisor has ended with an order unread. Its reports follow.
    if (got < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got != sizeof report) return end(true);
    if (report.kind == Report::Kind::over) {
      status_.killed = report.value;
      left_ = report.detail;
      return end(false);
    }
    if (report.kind != Report::Kind::exited) continue;
    if (WIFEXITED(report.value)) status_.code = WEXITSTATUS(report.value);
    else status_.signal = WTERMSIG(report.value);
    // It may have ended before the order came.
    status_.stopped = status_.stopped && report.detail != 0;
    take_usage(status_, report);
    has_exited_.store(true, std::memory_order_relaxed);
  }
}

void RunningProcess::end(bool is_lost) noexcept {
  is_lost_ = is_lost;
  has_exited_.store(true, std::memory_order_relaxed);
  process::reap(launched_.supervisor);
  is_over_ = true;
}

void RunningProcess::order_end() noexcept {
  // If the system has no memory for the order, `poll` sends it again. A supervisor that has ended needs none.
  is_ending_ =
      send({Order::Kind::end, process::milliseconds_of(grace_)}) || errno == EPIPE || errno == ECONNRESET;
}

bool RunningProcess::send_signal(int number) noexcept {
  return !is_forked() && !has_exited_.load(std::memory_order_relaxed) && send({Order::Kind::signal, number});
}

bool RunningProcess::send(Order order) noexcept {
  ssize_t sent = 0;
  do sent = runtime::own::send(launched_.control.get(), &order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent == sizeof order;
}

}  // namespace tg::inline v0::detail

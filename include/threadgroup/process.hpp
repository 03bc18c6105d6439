// SPDX-License-Identifier: Apache-2.0
// Commands, which a stop ends with all their descendants.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <threadgroup/detail/config.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>

namespace tg {
inline namespace v0 {

namespace detail {
class RunningProcess;
}

/// What a command reads from its standard input.
class Input {
 public:
  /// Where it comes from.
  enum class Kind {
    /// See Input::nothing.
    nothing,
    /// See Input::inherited.
    inherited,
    /// See Input::text.
    text,
    /// See Input::file.
    file,
    /// See Input::descriptor.
    descriptor,
  };

  /// An empty input: the default.
  Input() = default;
  /// An empty input.
  static Input nothing() { return {}; }
  /// The program's own standard input.
  static Input inherited() { return Input(Kind::inherited); }
  /// The given bytes.
  static Input text(std::string bytes) { return {Kind::text, std::move(bytes)}; }
  /// The contents of a file.
  static Input file(std::string path) { return {Kind::file, std::move(path)}; }
  /// An open descriptor. The program still owns it, and may close it as soon as the `Process` is constructed.
  static Input descriptor(int fd) { return {Kind::descriptor, {}, fd}; }

  /// Which of these it is.
  Kind kind() const noexcept { return kind_; }
  /// The text, or the path of the file.
  const std::string& value() const noexcept { return value_; }
  /// The descriptor, or -1.
  int fd() const noexcept { return fd_; }

 private:
  Input(Kind kind, std::string value = {}, int fd = -1) : kind_(kind), value_(std::move(value)), fd_(fd) {}
  Kind kind_ = Kind::nothing;
  std::string value_;
  int fd_ = -1;
};

/// Where a command's output goes.
class Output {
 public:
  /// Where it goes.
  enum class Kind {
    /// The default: see Output().
    automatic,
    /// See Output::inherited.
    inherited,
    /// See Output::nothing.
    nothing,
    /// See Output::captured.
    captured,
    /// See Output::lines.
    lines,
    /// See Output::file.
    file,
    /// See Output::descriptor.
    descriptor,
    /// See Output::same_as_out.
    same_as_out,
  };
  /// How many bytes `captured` keeps by default: 1 MiB.
  static constexpr std::size_t kDefaultLimit = 1 << 20;

  /// `inherited` for a `Process`, `captured` for `run_process`.
  Output() = default;
  /// The program's own standard output or error output.
  static Output inherited() { return Output(Kind::inherited); }
  /// Discarded.
  static Output nothing() { return Output(Kind::nothing); }
  /// Kept in memory, up to `limit` bytes; the rest is read, counted and dropped.
  static Output captured(std::size_t limit = kDefaultLimit) {
    Output output(Kind::captured);
    output.limit_ = limit;
    return output;
  }
  /// Calls the function with each line, without its newline, on the thread that is in `wait`. A line longer than 1 MiB comes in
  /// pieces. If the function throws, the command is ended, and `wait` throws the exception.
  static Output lines(UniqueFunction<void(std::string_view)> function) {
    Output output(Kind::lines);
    output.function_ = std::move(function);
    return output;
  }
  /// A file, which is created or truncated; with `append`, extended.
  static Output file(std::string path, bool append = false) {
    Output output(Kind::file);
    output.path_ = std::move(path);
    output.append_ = append;
    return output;
  }
  /// An open descriptor. The program still owns it, and may close it as soon as the `Process` is constructed.
  static Output descriptor(int fd) {
    Output output(Kind::descriptor);
    output.fd_ = fd;
    return output;
  }
  /// For the error output only: the same destination as the output.
  static Output same_as_out() { return Output(Kind::same_as_out); }

  /// Which of these it is.
  Kind kind() const noexcept { return kind_; }
  /// How many bytes are kept.
  std::size_t limit() const noexcept { return limit_; }
  /// The path of the file.
  const std::string& path() const noexcept { return path_; }
  /// Whether the file is added to.
  bool append() const noexcept { return append_; }
  /// The descriptor, or -1.
  int fd() const noexcept { return fd_; }
  /// What takes the lines.
  UniqueFunction<void(std::string_view)>& function() noexcept { return function_; }

 private:
  explicit Output(Kind kind) : kind_(kind) {}
  Kind kind_ = Kind::automatic;
  std::size_t limit_ = kDefaultLimit;
  std::string path_;
  bool append_ = false;
  int fd_ = -1;
  UniqueFunction<void(std::string_view)> function_;
};

/// A limit for the command and its descendants, as in setrlimit(2): `{RLIMIT_NOFILE, 100, 100}`.
struct ResourceLimit {
  /// `RLIMIT_...`
  int resource;
  /// The limit that applies.
  rlim_t soft;
  /// How far the command may raise the soft limit.
  rlim_t hard;
};

/// How a command is run.
struct ProcessOptions {
  /// The time between TERM and KILL when the command and its descendants are ended. Zero: KILL at once.
  Duration grace = Duration::from_nanos(5'000'000'000);
  /// The directory in which the command runs; empty: the program's.
  std::string directory = {};
  /// "NAME=value", added to the program's environment, or in place of a variable of that name.
  std::vector<std::string> environment = {};
  /// False: the command has the variables in `environment` and no others.
  bool inherits_environment = true;
  /// The standard input: nothing, unless it is set.
  Input input = {};
  /// The standard output.
  Output out = {};
  /// The standard error output.
  Output err = {};
  /// Limits of the command and its descendants.
  std::vector<ResourceLimit> limits = {};
  /// The command has a session of its own: Ctrl-C on the terminal does not reach it.
  bool own_session = false;
  /// If the program ends without destroying the object (it exits, is killed or executes another program), the command and its
  /// descendants are killed.
  bool ends_with_program = true;
  /// Descendants that run when the command ends by itself are left alone: for commands that start a server. A stop still
  /// ends them if it comes while the command runs.
  bool descendants_may_stay = false;
};

/// How a command has ended.
struct ExitStatus {
  /// What it exited with; -1 if a signal ended it, or if it was not started.
  int code = -1;
  /// The signal that ended it, or 0.
  int signal = 0;
  /// The caller was stopped, and the command was therefore ended or not started.
  bool stopped = false;
  /// How many processes, the command included, needed KILL.
  int killed = 0;
  /// Processor time in user mode, of the command and of the children that it has waited for.
  Duration user_time;
  /// The same in kernel mode.
  Duration system_time;
  /// The largest resident memory of one of these processes.
  std::int64_t max_memory_bytes = 0;

  /// The command exited with 0 and was not stopped.
  bool ok() const noexcept { return code == 0 && !stopped; }
  /// "exited with 3", "killed by signal 9 (Killed)", "stopped: killed by signal 15 (Terminated)".
  TG_EXPORT std::string text() const;
};

/// A command that runs beside the program, for as long as the object lives and no longer: a scope for processes.
///
///     tg::Process process({"gzip", "-k", "big.log"});
///     const tg::ExitStatus status = process.wait();      // a stop of the task ends gzip
///     if (!status.ok()) throw std::runtime_error("gzip " + status.text());
///
/// A stop that reaches the caller in `wait`, and the destructor, end the command and all its descendants, also those in
/// other sessions: TERM, and KILL after the grace. When the command ends by itself, the descendants that it has left are
/// ended in the same way. For a deadline, put a `StopScope` around `wait`.
///
/// Guarantees: once `wait` has returned, or the object is gone, neither the command nor a descendant of it runs (except
/// with `descendants_may_stay`), and no zombie is left. The command gets no descriptors but 0, 1 and 2, no blocked or
/// ignored signals, and none of the program's signal handlers.
///
/// Errors: the constructor throws `std::invalid_argument` if there is no command, a text contains a null byte, or an option
/// is invalid; `std::system_error` if the command cannot be started, or, under a group or scope, if a stop could not end
/// the wait for it (see <threadgroup/posix.hpp>); `std::logic_error` in a simulated program. In a
/// stopped task it starts nothing, and `wait` says `stopped`. `wait` throws what a function of `Output::lines` has thrown
/// (once), `std::system_error` as the calls of `tg::posix` do, and `std::runtime_error` if another process has killed the
/// supervisor (the small process between the program and the command) or if descendants of another user still run.
///
/// Thread safety: one thread at a time; `send_signal` may be called on any thread while the object lives. In a forked child
/// `wait` throws `ForkedError`, `send_signal` returns false, and the destructor does nothing.
///
/// Lifetime: captured output and lines are read only in `wait`; until then, a command that has filled the pipe (64 KiB)
/// blocks.
class TG_EXPORT Process {
 public:
  /// `command` is the program and its arguments. A name without a slash is searched in the program's PATH; a relative path
  /// is resolved in the command's directory.
  explicit Process(const std::vector<std::string>& command, ProcessOptions options = {});
  ~Process();
  /// The moved-from object may only be destroyed.
  Process(Process&&) noexcept;
  Process& operator=(Process&&) = delete;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// The pid of the command, or 0 if it was not started. Once the command has ended, the system may give the number to
  /// another process; `send_signal` never reaches that one.
  pid_t pid() const noexcept;
  /// Waits until the command and its descendants have ended. A later call returns the same status.
  ExitStatus wait();
  /// Sends a signal to the command alone. Returns false if the command has ended or the order could not be sent. Throws
  /// `std::invalid_argument` if there is no signal with this number.
  bool send_signal(int number);

  /// The output that `Output::captured` has kept so far.
  const std::string& out() const noexcept;
  /// The same of the error output.
  const std::string& err() const noexcept;
  /// How many bytes of the output were not kept.
  std::uint64_t out_lost() const noexcept;
  /// The same of the error output.
  std::uint64_t err_lost() const noexcept;

 private:
  std::unique_ptr<detail::RunningProcess> process_;
};

/// What `run_process` returns.
struct ProcessResult {
  /// How the command has ended.
  ExitStatus status;
  /// What it has written to its output.
  std::string out;
  /// What it has written to its error output.
  std::string err;
  /// How many bytes of the output were not kept.
  std::uint64_t out_lost = 0;
  /// How many bytes of the error output were not kept.
  std::uint64_t err_lost = 0;
};

/// Runs a command to its end. Captures its output unless the options say otherwise. Throws as `Process` does.
///
///     const tg::ProcessResult result = tg::run_process({"git", "log", "-1", "--format=%H"});
TG_EXPORT ProcessResult run_process(const std::vector<std::string>& command, ProcessOptions options = {});

}  // namespace v0
}  // namespace tg

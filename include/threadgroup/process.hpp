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
    /// As the function of that name.
    nothing,
    /// As the function of that name.
    inherited,
    /// As the function of that name.
    text,
    /// As the function of that name.
    file,
    /// As the function of that name.
    descriptor,
  };

  /// The end of the file at once: the default.
  Input() = default;
  /// The end of the file at once.
  static Input nothing() { return {}; }
  /// The program's own standard input.
  static Input inherited() { return Input(Kind::inherited); }
  /// These bytes.
  static Input text(std::string bytes) { return {Kind::text, std::move(bytes)}; }
  /// What a file holds.
  static Input file(std::string path) { return {Kind::file, std::move(path)}; }
  /// An open descriptor. It remains the program's, which may close it once the `Process` is made.
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
    /// As `Output()`.
    automatic,
    /// As the function of that name.
    inherited,
    /// As the function of that name.
    nothing,
    /// As the function of that name.
    captured,
    /// As the function of that name.
    lines,
    /// As the function of that name.
    file,
    /// As the function of that name.
    descriptor,
    /// As the function of that name.
    same_as_out,
  };
  /// 1 MiB.
  static constexpr std::size_t kDefaultLimit = 1 << 20;

  /// `inherited` for a `Process`, `captured` for `run_process`.
  Output() = default;
  /// The program's own.
  static Output inherited() { return Output(Kind::inherited); }
  /// Nowhere.
  static Output nothing() { return Output(Kind::nothing); }
  /// Kept, up to `limit` bytes; what comes after these is counted and lost.
  static Output captured(std::size_t limit = kDefaultLimit) {
    Output output(Kind::captured);
    output.limit_ = limit;
    return output;
  }
  /// Each line, without its end, as it comes: on the thread that waits for the command. A line of more than 1 MiB comes in
  /// pieces. If the function throws, the command is ended, and `wait` throws that.
  static Output lines(UniqueFunction<void(std::string_view)> function) {
    Output output(Kind::lines);
    output.function_ = std::move(function);
    return output;
  }
  /// A file, made anew or (`append`) added to.
  static Output file(std::string path, bool append = false) {
    Output output(Kind::file);
    output.path_ = std::move(path);
    output.append_ = append;
    return output;
  }
  /// An open descriptor. It remains the program's, which may close it once the `Process` is made.
  static Output descriptor(int fd) {
    Output output(Kind::descriptor);
    output.fd_ = fd;
    return output;
  }
  /// For the error output: where the output goes.
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

/// A limit of the command and its descendants, as of setrlimit(2): `{RLIMIT_NOFILE, 100, 100}`.
struct ResourceLimit {
  /// `RLIMIT_...`
  int resource;
  /// What holds at first.
  rlim_t soft;
  /// What the command may raise it to.
  rlim_t hard;
};

/// How a command is run.
struct ProcessOptions {
  /// Between TERM and KILL, when the command and its descendants are ended. Zero: KILL at once.
  Duration grace = Duration::from_nanos(5'000'000'000);
  /// Where the command runs; empty: where the program does.
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
  /// When the program is killed, or executes another one, the command and its descendants are killed, too.
  bool ends_with_program = true;
  /// Descendants that the command leaves behind may stay: for commands that start a server. Otherwise they are ended.
  bool descendants_may_stay = false;
};

/// How a command has ended.
struct ExitStatus {
  /// What it exited with; -1 if a signal ended it, or if it was not started.
  int code = -1;
  /// The signal that ended it, or 0.
  int signal = 0;
  /// The caller was stopped before the command had ended: so it was ended, or not even started.
  bool stopped = false;
  /// How many processes, of the command and its descendants, had to be killed after the grace.
  int killed = 0;
  /// What the command has used, with those of its children that it has waited for.
  Duration user_time;
  /// The same in the kernel.
  Duration system_time;
  /// The most memory that it has had at a time.
  std::int64_t max_memory_bytes = 0;

  /// It has ended by itself, with 0.
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
/// A stop of the caller's scope or group while it is in `wait`, and the end of the object, end the command with all its
/// descendants: TERM, then KILL after the grace, also for those with a session of their own. Descendants that are left when
/// the command has ended are ended in the same way. A deadline is a `StopScope` around `wait`.
///
/// Guarantees: once `wait` has returned, or the object is gone, neither the command nor a descendant of it runs (except
/// with `descendants_may_stay`), and no zombie is left. The command gets no descriptors but 0, 1 and 2, no blocked or
/// ignored signals, and none of the program's signal handlers.
///
/// Errors: the constructor throws `std::invalid_argument` for no command or a text with a null byte, `std::system_error` if it
/// cannot be started (it says what was refused), and `std::logic_error` in a simulated program. In a stopped task it
/// starts nothing. `wait` throws what a function of `Output::lines` throws, `std::system_error` as the calls of `tg::posix`,
/// `ForkedError` in a forked child, and `std::runtime_error` if the supervisor, a small process beside the command, was
/// killed by others, or if descendants belong to another user and cannot be ended.
///
/// Thread safety: one thread at a time, but `send_signal` from any thread while the object lives. In a forked child the
/// object does nothing.
///
/// Lifetime: output that is captured or given to functions is read in `wait` alone; a command that writes more than a pipe
/// holds (64 KiB) waits until then.
class TG_EXPORT Process {
 public:
  /// `command` is the program and its arguments. A name without a slash is looked for in the program's PATH; a relative path
  /// begins in the directory of the command.
  explicit Process(const std::vector<std::string>& command, ProcessOptions options = {});
  ~Process();
  /// The moved-from object may only be destroyed.
  Process(Process&&) noexcept;
  Process& operator=(Process&&) = delete;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Of the command; 0 if it was not started. It is not used again before `wait` has returned.
  pid_t pid() const noexcept;
  /// Waits until the command and its descendants have ended. Further calls return the same.
  ExitStatus wait();
  /// To the command alone. False if it has ended. Throws `std::invalid_argument` for a number that is no signal.
  bool send_signal(int number);

  /// What `Output::captured` has kept so far.
  const std::string& out() const noexcept;
  /// The same of the error output.
  const std::string& err() const noexcept;
  /// How many bytes it has not kept.
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

/// Runs a command to its end, with its output captured unless the options say otherwise. As `Process`.
///
///     const tg::ProcessResult result = tg::run_process({"git", "log", "-1", "--format=%H"});
TG_EXPORT ProcessResult run_process(const std::vector<std::string>& command, ProcessOptions options = {});

}  // namespace v0
}  // namespace tg

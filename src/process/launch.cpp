// SPDX-License-Identifier: Apache-2.0
// The supervisor's arguments, environment and descriptors.
#include "process/launch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "process/errors.hpp"
#include "process/supervisor.hpp"
#include "process/supervisor_image.hpp"
#include "runtime/own_calls.hpp"

extern "C" char** environ;

namespace tg::inline v0::process {

namespace {

// --- The path ---

bool is_program(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode) &&
         ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

std::string path_of(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* const set = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nothing here sets it
  std::string_view rest = set != nullptr ? set : "/bin:/usr/bin";
  for (;;) {
    const std::size_t end = rest.find(':');
    const std::string folder(rest.substr(0, end));
    const std::string path = (folder.empty() ? "." : folder) + "/" + name;
    // Absolute, for the command may begin in another directory.
    if (!name.empty() && is_program(path)) return std::filesystem::absolute(path);
    if (end == std::string_view::npos) throw_error(ENOENT, "no program `" + name + "` in PATH");
    rest.remove_prefix(end + 1);
  }
}

// --- Texts ---

std::string_view name_of(std::string_view variable) { return variable.substr(0, variable.find('=')); }

std::vector<std::string> environment_of(const ProcessOptions& options) {
  std::vector<std::string> all;
  const auto has = [&](std::string_view name) {
    return std::any_of(options.environment.begin(), options.environment.end(),
                       [&](const std::string& ours) { return name_of(ours) == name; });
  };
  if (options.inherits_environment) {
    for (char** at = environ; at != nullptr && *at != nullptr; ++at)
      if (!has(name_of(*at))) all.emplace_back(*at);
  }
  for (const std::string& variable : options.environment) {
    refuse_null_byte(variable);
    if (variable.find('=') == std::string::npos || variable.front() == '=')
      throw std::invalid_argument("tg::Process: `" + variable + "` in the environment is not NAME=value");
    const auto later = [&](const std::string& other) {
      return &other > &variable && name_of(other) == name_of(variable);
    };
    if (std::none_of(options.environment.begin(), options.environment.end(), later)) all.push_back(variable);
  }
  return all;
}

std::string text_of(const std::vector<ResourceLimit>& limits) {
  std::string text;
  for (const ResourceLimit& limit : limits) {
    if (limit.resource < 0)
      throw std::invalid_argument("tg::Process: " + std::to_string(limit.resource) +
                                  " is no resource of setrlimit(2)");
    if (!text.empty()) text += ',';
    text +=
        std::to_string(limit.resource) + ':' + std::to_string(limit.soft) + ':' + std::to_string(limit.hard);
  }
  return text;
}

std::vector<std::string> arguments_of(const std::vector<std::string>& command,
                                      const ProcessOptions& options) {
  const int flags = (options.ends_with_program ? 0 : kOutlivesProgram) |
                    (options.own_session ? kOwnSession : 0) |
                    (options.descendants_may_stay ? kDescendantsMayStay : 0);
  refuse_null_byte(options.directory);
  std::vector<std::string> all{"tg-supervisor",         std::to_string(::getpid()),
                               std::to_string(flags),   std::to_string(milliseconds_of(options.grace)),
                               options.directory,       text_of(options.limits),
                               path_of(command.front())};
  for (const std::string& argument : command) {
    refuse_null_byte(argument);
    all.push_back(argument);
  }
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// --- Starting ---

class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t all;
    sigfillset(&all);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setsigmask(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  void give(int fd, int as) {
    if (const int error = ::posix_spawn_file_actions_adddup2(&actions_, fd, as); error != 0)
      throw_error(error, "cannot duplicate a descriptor for the command");
  }
  pid_t start(const char* path, char* const* arguments, char* const* environment) {
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, path, &actions_, &attributes_, arguments, environment);
    if (error != 0) throw_error(error, "cannot start the supervisor");
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

const char* what_failed(Step step) {
  switch (step) {
    case Step::directory:
      return "changing to its directory";
    case Step::limit:
      return "setting a limit";
    case Step::execute:
      return "executing it";
    case Step::proc:
      return "/proc belongs to another pid namespace";
    case Step::supervise:
      break;
  }
  return "preparing its supervisor";
}

// The pidfd of the child that has just been started. The command may be running by now, so if there is no pidfd, it is ended first.
Descriptor pidfd_of(pid_t supervisor, const Descriptor& control) {
  Descriptor found(static_cast<int>(::syscall(SYS_pidfd_open, supervisor, 0)));
  if (found) {
    // If it cannot be moved, a low number is better than none.
    Descriptor moved(found.get() < kFirstFree ? ::fcntl(found.get(), F_DUPFD_CLOEXEC, kFirstFree) : -1);
    return moved ? std::move(moved) : std::move(found);
  }
  const int error = errno;
  // It has ended, and the program has reaped it (SIGCHLD ignored). The reports tell the rest.
  if (error == ESRCH) return found;
  const Order at_once{Order::Kind::end, 0};
  if (runtime::own::send(control.get(), &at_once, sizeof at_once, MSG_NOSIGNAL) < 0 && errno != EPIPE)
    ::kill(supervisor, SIGKILL);  // and with it the command
  while (runtime::own::wait4(supervisor, nullptr, 0, nullptr) < 0 && errno == EINTR) {
  }
  throw_error(error, "cannot open the supervisor's pidfd");
}

}  // namespace

int milliseconds_of(Duration duration) {
  const std::int64_t millis = duration.nanos() / 1'000'000 + (duration.nanos() % 1'000'000 > 0 ? 1 : 0);
  return static_cast<int>(std::clamp<std::int64_t>(millis, 0, INT_MAX));
}

void reap(const Descriptor& supervisor) noexcept {
  // Fails if the program has reaped it (a `wait` for any child, or SIGCHLD ignored), which is fine.
  siginfo_t ignored;
  while (runtime::own::waitid(P_PIDFD, static_cast<id_t>(supervisor.get()), &ignored, WEXITED) != 0 &&
         errno == EINTR) {
  }
}

Launched launch(const std::vector<std::string>& command, const ProcessOptions& options, Standard standard) {
  if (command.empty()) throw std::invalid_argument("tg::Process: no command");
  std::vector<std::string> arguments = arguments_of(command, options);
  std::vector<std::string> environment = environment_of(options);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw_error(errno, "cannot create the supervisor's socket");
  Launched launched;
  launched.control = Descriptor(ends[0]);
  Descriptor control = moved_up(Descriptor(ends[1]), "the supervisor's socket");
  launched.control = moved_up(std::move(launched.control), "the supervisor's socket");
  SpawnPlan plan;
  plan.give(standard.in, 0);
  plan.give(standard.out, 1);
  plan.give(standard.err, 2);
  plan.give(control.get(), kControl);
  const std::string path = supervisor_path();
  const std::vector<char*> argument_pointers = pointers_to(arguments);
  const std::vector<char*> environment_pointers = pointers_to(environment);
  const pid_t pid = plan.start(path.c_str(), argument_pointers.data(), environment_pointers.data());
  control.close();  // now, so that there is a number for the next descriptor
  // Its pid is its own until it is reaped, unless the program does that.
  launched.supervisor = pidfd_of(pid, launched.control);
  Report report{};
  // A fork of the program may hold the supervisor's end, so that only the pidfd tells of its end.
  std::array<pollfd, 2> both{pollfd{launched.control.get(), POLLIN, 0},
                             pollfd{launched.supervisor.get(), POLLIN, 0}};
  while (runtime::own::poll(both.data(), both.size(), -1) < 0) {
  }
  const ssize_t got = runtime::own::recv(launched.control.get(), &report, sizeof report, MSG_DONTWAIT);
  if (got == sizeof report && report.kind == Report::Kind::started) {
    launched.command = report.value;
    return launched;
  }
  reap(launched.supervisor);
  if (got != sizeof report)
    throw_error(ECHILD,
                "the supervisor of `" + command.front() + "` ended before it had started the command");
  throw_error(report.value, "`" + command.front() +
                                "` cannot be started: " + what_failed(static_cast<Step>(report.detail)));
}

}  // namespace tg::inline v0::process

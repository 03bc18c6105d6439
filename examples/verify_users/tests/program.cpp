// SPDX-License-Identifier: Apache-2.0
// Starting and watching the program.
#include "program.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <system_error>

extern char** environ;

namespace verify_users {
namespace {

struct Ends {
  int ours = -1;
  int theirs = -1;
};

void check(bool ok, const char* what) {
  if (!ok) throw std::system_error(errno, std::generic_category(), what);
}

Ends open_pipe() {
  std::array<int, 2> ends{};
  check(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe2");
  return {ends[0], ends[1]};
}

Ends open_terminal() {
  Ends ends;
  winsize size{};
  size.ws_col = 60;
  size.ws_row = 12;
  check(::openpty(&ends.ours, &ends.theirs, nullptr, nullptr, &size) == 0, "openpty");
  ::fcntl(ends.ours, F_SETFD, FD_CLOEXEC);
  ::fcntl(ends.theirs, F_SETFD, FD_CLOEXEC);
  return ends;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Of a name that is there twice, getenv sees the first: so ours come first.
std::vector<std::string> environment_with(const std::vector<std::string>& ours) {
  std::vector<std::string> all = ours;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  return all;
}

class TemporaryFiles {
 public:
  ~TemporaryFiles() {
    for (const std::string& path : paths_) ::unlink(path.c_str());
  }
  void add(const std::string& path) { paths_.push_back(path); }

 private:
  std::vector<std::string> paths_;
};

}  // namespace

Program::Program(const std::vector<std::string>& arguments, Output output,
                 const std::vector<std::string>& environment) {
  const Ends out = output == Output::terminal ? open_terminal() : open_pipe();
  const Ends err = open_pipe();
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.theirs, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.theirs, STDERR_FILENO);

  std::vector<std::string> words{VERIFY_USERS};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = environment_with(environment);
  const int error = ::posix_spawn(&pid_, VERIFY_USERS, &actions, nullptr, pointers_to(words).data(),
                                  pointers_to(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(out.theirs);
  ::close(err.theirs);
  out_ = out.ours;
  err_ = err.ours;
  errno = error;
  check(error == 0, "posix_spawn");
}

Program::~Program() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
}

bool Program::read_some() {
  // `poll` passes over negative ones.
  std::array<pollfd, 2> streams{pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}};
  if (out_ < 0 && err_ < 0) return false;
  if (::poll(streams.data(), streams.size(), -1) < 0) return true;  // EINTR
  const auto take = [](const pollfd& stream, int& fd, std::string& text) {
    if (stream.revents == 0) return;
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    } else {  // a terminal whose other side is gone says EIO
      ::close(fd);
      fd = -1;
    }
  };
  take(streams[0], out_, out_text_);
  take(streams[1], err_, err_text_);
  return true;
}

bool Program::prints(const std::string& text) {
  while (out_text_.find(text) == std::string::npos) {
    if (!read_some()) return false;
  }
  return true;
}

void Program::send(int signal) const { ::kill(pid_, signal); }

Exit Program::wait() {
  while (read_some()) {
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out_text_, err_text_};
}

Exit run_program(const std::vector<std::string>& arguments) { return Program(arguments).wait(); }

std::string file_with(const std::string& name, const std::string& content) {
  static TemporaryFiles files;
  const std::string path = testing::TempDir() + "verify_users_" + std::to_string(::getpid()) + "_" + name;
  std::ofstream(path, std::ios::binary) << content;
  files.add(path);
  return path;
}

}  // namespace verify_users

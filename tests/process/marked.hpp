// SPDX-License-Identifier: Apache-2.0
// Commands whose processes a test finds again.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <threadgroup/process.hpp>

namespace tg::test {

inline std::vector<std::string> shell(std::string script) { return {"/bin/sh", "-c", std::move(script)}; }

/// Finds the processes that a command has left: by a variable in their environment.
class Mark {
 public:
  Mark() : variable_("TG_TEST_MARK=" + std::to_string(::getpid()) + "." + std::to_string(++count_)) {}
  const std::string& variable() const { return variable_; }

  // Those that are not zombies.
  std::vector<pid_t> processes() const {
    std::vector<pid_t> all;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream file(entry.path() / "environ", std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(file)), {});
      if (text.find(variable_ + '\0') == std::string::npos) continue;  // entries end in a null byte
      if (is_supervisor(entry.path())) continue;
      all.push_back(std::stoi(name));
    }
    return all;
  }
  std::size_t count() const { return processes().size(); }

 private:
  static bool is_supervisor(const std::filesystem::path& of) {
    std::ifstream file(of / "comm");
    std::string name;
    std::getline(file, name);
    return name == "tg-supervisor";
  }
  inline static int count_ = 0;
  const std::string variable_;
};

inline ProcessOptions marked(const Mark& mark, Duration grace = std::chrono::seconds(5)) {
  ProcessOptions options;
  options.environment = {mark.variable()};
  options.grace = grace;
  return options;
}

inline bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

inline pid_t supervisor_of(const Process& process) {
  std::ifstream stat("/proc/" + std::to_string(process.pid()) + "/stat");
  std::string text;
  std::getline(stat, text);
  return std::stoi(text.substr(text.rfind(')') + 4));
}

// Ignores TERM, and leaves a process that ignores it, too, in a session of its own, by a double fork.
inline constexpr const char* kStubborn =
    "trap '' TERM; (setsid /bin/sh -c \"trap '' TERM; while :; do sleep 1000; done\" &) ; while :; do sleep 1000; done";

}  // namespace tg::test

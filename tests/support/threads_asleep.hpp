// SPDX-License-Identifier: Apache-2.0
// Whether threads of this process sleep in the system.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tg::test {

inline int this_thread_number() { return static_cast<int>(::syscall(SYS_gettid)); }

/// The thread of that process has given up its processor, to wait.
inline bool is_asleep(int thread, int process = ::getpid()) {
  std::ifstream file("/proc/" + std::to_string(process) + "/task/" + std::to_string(thread) + "/stat");
  std::string stat;
  std::getline(file, stat);
  const auto end = stat.rfind(')');
  return end != std::string::npos && end + 2 < stat.size() && stat[end + 2] == 'S';
}

/// All threads but the calling one have given up their processors, to wait.
inline bool others_are_asleep() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const int thread = std::stoi(task.path().filename());
    if (thread != this_thread_number() && !is_asleep(thread)) return false;
  }
  return true;
}

}  // namespace tg::test

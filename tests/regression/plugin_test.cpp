// SPDX-License-Identifier: Apache-2.0
// A copy of the library in a plugin that is unloaded: its threads and what runs at the end of others go on.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <latch>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"

#include "support/eventually.hpp"

namespace plugin_test {
namespace {

bool has_thread_named(const std::string& name) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string comm;
    if (std::getline(std::ifstream(task.path() / "comm"), comm) && comm == name) return true;
  }
  return false;
}

// In a process of its own, whose end it is: all that is left of the plugin runs once more.
[[noreturn]] void use_and_unload() {
  ::alarm(40);
  void* const plugin = ::dlopen(TG_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) std::_Exit(2);
  const auto use = reinterpret_cast<int (*)()>(::dlsym(plugin, "use_threadgroup"));
  if (use == nullptr || use() != 7) std::_Exit(3);
  // Two copies in one process, each with its own locks: a fork takes those of both.
  if (tg::ThreadGroup("outside").add_task([] { return 1; }).get() != 1) std::_Exit(6);
  const pid_t child = ::fork();
  if (child == 0) std::_Exit(0);
  if (::waitpid(child, nullptr, 0) != child) std::_Exit(7);
  std::latch used(1);
  std::latch unloaded(1);
  std::thread foreign([&] {
    use();
    used.count_down();
    unloaded.wait();
  });  // and as it ends, the copy takes back what it had given the thread
  used.wait();
  if (::dlclose(plugin) != 0) std::_Exit(4);
  unloaded.count_down();
  foreign.join();
  // An idle thread of the copy wakes once, to take this name.
  tg::test::eventually([] { return has_thread_named("tg-idle"); });
  std::exit(::dlopen(TG_TEST_PLUGIN, RTLD_NOW | RTLD_NOLOAD) != nullptr ? 0 : 5);
}

TEST(Plugin, may_be_unloaded_while_threads_of_its_copy_of_the_library_are_left) {
  if (TG_ADDRESS_SANITIZER) GTEST_SKIP() << "its allocator does not survive a fork of several threads";
  const pid_t child = ::fork();
  if (child == 0) use_and_unload();
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace plugin_test

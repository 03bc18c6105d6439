// SPDX-License-Identifier: Apache-2.0
// A process that keeps a vault in a file is killed at random moments; the file must be whole and consistent.
#include "support.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <random>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/vault_json.hpp>

#include "base/sanitizers.hpp"

extern char** environ;

namespace kill_test {
namespace {

const char* const kChildFile = "TG_TEST_VAULT_TO_BE_KILLED";

struct Ring {
  tg::Key<int> left{"left"};
  tg::Key<int> right{"right"};
  tg::Key<std::string> padding{"padding"};
  tg::Key<int> sum{"sum"};
};

// The program that gets killed: it counts in pairs, and an automatic adds them up.
[[noreturn]] void be_the_child(const char* path) {
  const Ring ring;
  tg::Vault vault("v", ring, {.permit_modification = true});
  tg::JsonResource file{path, tg::JsonMode::append};
  file.attach(vault, ring);
  tg::ThreadGroup group("g", {.max_concurrent_threads = 2});
  vault.automatic(
      group, tg::inputs(ring.left, ring.right), tg::outputs(ring.sum), [](int a, int b) { return a + b; },
      tg::BindOptions{.clean_outputs = true});
  for (int i = vault.try_get(ring.left).value_or(0) + 1;; ++i) {
    vault.insert_all(tg::entry(ring.left, i), tg::entry(ring.right, i),
                     tg::entry(ring.padding, std::string(static_cast<std::size_t>(i % 977) * 16, 'x')));
    static_cast<void>(group.join());
    if (::write(STDOUT_FILENO, ".", 1) != 1) std::_Exit(1);
  }
}

// Before the tests: the same program, told by its environment, is the one to be killed.
class ChildMode : public ::testing::Environment {
  void SetUp() override {
    if (const char* path = std::getenv(kChildFile)) be_the_child(path);
  }
};
[[maybe_unused]] const auto* const child_mode = ::testing::AddGlobalTestEnvironment(new ChildMode);

TEST(JsonKill, a_process_killed_many_times_leaves_a_whole_and_consistent_file_each_time) {
  // A sanitizer's start of the process takes longer than what is tested.
  constexpr int kRounds = tg::detail::kSanitized ? 50 : 200;
  const tg::test::Folder folder;
  const std::string path = folder.file("v.json");
  const std::string setting = std::string(kChildFile) + "=" + path;
  std::vector<char*> environment;
  for (char** e = environ; *e != nullptr; ++e) environment.push_back(*e);
  environment.push_back(const_cast<char*>(setting.c_str()));
  environment.push_back(nullptr);
  std::mt19937 random(20240229);
  const Ring ring;
  int last = 0;
  for (int round = 0; round < kRounds; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    std::string self = "/proc/self/exe";
    std::string brief = "--gtest_brief=1";
    char* arguments[] = {self.data(), brief.data(), nullptr};
    pid_t child = 0;
    ASSERT_EQ(::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments, environment.data()), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    // A random number of rounds, and a random part of the next one.
    char byte = 0;
    for (auto dots = random() % 4; ::read(pipe[0], &byte, 1) == 1;) {
      if (byte == '.' && dots-- == 0) break;
    }
    for (auto spin = random() % 10'000; spin > 0; --spin) ::getppid();  // about 100 ns each
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ::close(pipe[0]);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself, with status " << status;

    tg::Vault vault("v", ring);
    tg::JsonResource file{path, tg::JsonMode::read};
    ASSERT_NO_THROW(file.attach(vault, ring)) << "round " << round;
    const auto [left, right, padding, sum] = vault.try_get_all(ring.left, ring.right, ring.padding, ring.sum);
    ASSERT_TRUE(left.has_value());
    ASSERT_EQ(left, right);
    ASSERT_EQ(padding->size(), static_cast<std::size_t>(*left % 977) * 16);
    ASSERT_EQ(sum.value_or(*left + *right), *left + *right);
    ASSERT_GE(*left, last);
    last = *left;
  }
  EXPECT_GT(last, kRounds / 2);
}

}  // namespace
}  // namespace kill_test

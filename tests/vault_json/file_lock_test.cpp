// SPDX-License-Identifier: Apache-2.0
// One resource at a time writes a file, in whatever process.
#include "support.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <utility>

#include <threadgroup/vault_json.hpp>

#include "base/sanitizers.hpp"
#include "hooks.hpp"
#include "support/in_child.hpp"

extern char** environ;

namespace file_lock_test {
namespace {

using tg::JsonMode;
using tg::JsonResource;
using tg::test::contents;
using tg::test::error_of;
using tg::test::Folder;
using tg::test::put;
using tg::test::Signal;
namespace fs = std::filesystem;

const tg::Key<int> number{"number"};

// A vault with a file, in one process.
struct Writer {
  explicit Writer(const std::string& path, JsonMode mode = JsonMode::append) : file{path, mode} {
    file.attach(vault, {number});
  }
  tg::Vault vault{"v", {number}, {.permit_modification = true}};
  JsonResource file;
};

TEST(FileLock, a_second_writer_in_the_same_process_is_refused_until_the_first_has_gone) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  {
    Writer first(path);
    first.vault.insert(number, 1);
    for (const JsonMode mode : {JsonMode::write, JsonMode::append}) {
      const std::string said = error_of<tg::ResourceError>([&] { Writer second(path, mode); });
      EXPECT_HAS(said, path);
      EXPECT_HAS(said, "this process");
    }
    first.vault.insert(number, 2);
    EXPECT_HAS(contents(path), "2");
  }
  EXPECT_EQ(folder.names(), std::set<std::string>{"v.json"});
  EXPECT_EQ(Writer(path).vault.get(number), 2);
}

// What the program prints to a standard descriptor that it has closed would get into the file.
TEST(FileLock, and_the_files_of_a_vault_get_no_standard_descriptor_that_the_program_has_closed) {
  const Folder folder;
  EXPECT_EQ(tg::test::in_child([&] {
              for (int fd = 0; fd < 3; ++fd) ::close(fd);
              Writer writer(folder.file("v.json"));
              writer.vault.insert(number, 1);
              for (int fd = 0; fd < 3; ++fd) REQUIRE_IN_CHILD(::fcntl(fd, F_GETFD) < 0 && errno == EBADF);
            }),
            0);
  EXPECT_HAS(contents(folder.file("v.json")), "1");
}

TEST(FileLock, a_second_process_is_refused_by_name_also_after_the_file_was_replaced) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  const Signal attached;
  const Signal done;
  const pid_t child = tg::test::start_child([&] {
    Writer writer(path);
    writer.vault.insert(number, 1);
    writer.vault.insert(number, 2);
    attached.tell();
    done.hear();
  });
  attached.hear();
  EXPECT_HAS(error_of<tg::ResourceError>([&] { Writer second(path); }),
             "process " + std::to_string(child) + ",");
  {
    tg::Vault vault("reader", {number});  // who reads needs no lock
    JsonResource reader{path, JsonMode::read_live};
    reader.attach(vault, {number});
    EXPECT_EQ(vault.get(number), 2);
  }
  done.tell();
  EXPECT_EQ(tg::test::status_of(child), 0);
  EXPECT_EQ(Writer(path).vault.get(number), 2);
}

TEST(FileLock, a_lock_whose_owner_was_killed_is_free) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  const Signal attached;
  const pid_t child = tg::test::start_child([&] {
    Writer writer(path);
    writer.vault.insert(number, 1);
    attached.tell();
    ::pause();
  });
  attached.hear();
  ::kill(child, SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(tg::test::status_of(child)));
  EXPECT_TRUE(fs::exists(path + ".lock"));
  EXPECT_EQ(Writer(path).vault.get(number), 1);
  EXPECT_EQ(folder.names(), std::set<std::string>{"v.json"});
}

TEST(FileLock, processes_that_the_owner_forked_or_started_do_not_keep_the_lock_when_it_ends) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  const Signal forked_runs;
  const Signal ready;
  const Signal end;
  const pid_t owner = tg::test::start_child([&] {
    auto* const writer = new Writer(path);  // not destroyed: the owner crashes, so to say
    const pid_t forked = tg::test::start_child([&] {
      forked_runs.tell();
      end.hear();
    });
    std::string cat = "cat";
    char* arguments[] = {cat.data(), nullptr};
    pid_t started = 0;
    int in[2];
    REQUIRE_IN_CHILD(::pipe(in) == 0);  // its ends are inherited, so that it reads forever
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    REQUIRE_IN_CHILD(::posix_spawnp(&started, "cat", &actions, nullptr, arguments, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    put(path + ".children", std::to_string(forked) + " " + std::to_string(started));
    writer->vault.insert(number, 1);
    forked_runs.hear();  // it gives its copy of the lock back at the end of `fork`, before it runs
    ready.tell();
  });
  ready.hear();
  EXPECT_EQ(tg::test::status_of(owner), 0);
  pid_t forked = 0;
  pid_t started = 0;
  std::ifstream(path + ".children") >> forked >> started;
  ASSERT_EQ(::kill(forked, 0), 0);
  ASSERT_EQ(::kill(started, 0), 0);
  EXPECT_NO_THROW(EXPECT_EQ(Writer(path).vault.get(number), 1));
  end.tell();
  ::kill(started, SIGKILL);
}

TEST(FileLock, an_inherited_writer_does_not_free_the_lock_of_the_parent) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  auto writer = std::make_unique<Writer>(path);
  EXPECT_EQ(tg::test::in_child([&] {
              writer.reset();
              const std::string said = error_of<tg::ResourceError>([&] { Writer own(path); });
              REQUIRE_IN_CHILD(tg::test::has(said, "process " + std::to_string(::getppid()) + ","));
              Writer other(folder.file("w.json"));
              other.vault.insert(number, 3);
            }),
            0);
  EXPECT_EQ(folder.names(), (std::set<std::string>{"v.json", "v.json.lock", "w.json"}));
  EXPECT_HAS(error_of<tg::ResourceError>([&] { Writer second(path); }), "this process");
  writer->vault.insert(number, 1);
  EXPECT_HAS(contents(path), "1");
}

TEST(FileLock, a_trap_under_the_name_of_the_lock_file_is_refused_and_not_written_to) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  put(folder.file("victim"), "precious");
  const auto refused = [&] { return error_of<tg::ResourceError>([&] { Writer writer(path); }); };
  fs::create_symlink("victim", path + ".lock");
  EXPECT_HAS(refused(), path + ".lock");
  fs::remove(path + ".lock");
  fs::create_hard_link(folder.file("victim"), path + ".lock");
  EXPECT_HAS(refused(), "not a lock file");
  fs::remove(path + ".lock");
  ASSERT_EQ(::mkfifo((path + ".lock").c_str(), 0666), 0);
  EXPECT_HAS(refused(), "not a lock file");
  fs::remove(path + ".lock");
  EXPECT_EQ(contents(folder.file("victim")), "precious");
  EXPECT_FALSE(fs::exists(path));
  put(path + ".lock", "left over");
  EXPECT_NO_THROW(Writer writer(path));
}

// The child is forked while the descriptor is not on the list of open locks any more, and not closed yet.
TEST(FileLock, a_child_that_is_forked_while_a_lock_is_released_does_not_keep_it) {
  static const tg::detail::FileCalls real = tg::detail::file_calls;
  static pid_t child = 0;
  static const Signal* release = nullptr;
  static bool armed = false;
  const Folder folder;
  const std::string path = folder.file("v.json");
  const Signal end;
  child = 0;
  release = &end;
  {
    const tg::test::FileHooks hooks;
    auto writer = std::make_unique<Writer>(path);
    tg::detail::file_calls.unlink = [](const char*) { return errno = EIO, -1; };  // so that the file stays
    tg::detail::file_calls.close = [](int fd) {
      struct stat state {};
      // Only the lock file is closed without a name for reading: it is the one that holds a number.
      if (armed && child == 0 && ::fstat(fd, &state) == 0 && S_ISREG(state.st_mode) && state.st_size < 20)
        child = tg::test::start_child([] { release->hear(); });
      return real.close(fd);
    };
    writer->file.flush();
    armed = true;
    writer.reset();
    armed = false;
  }
  ASSERT_NE(child, 0);
  EXPECT_TRUE(fs::exists(path + ".lock"));
  EXPECT_NO_THROW(Writer again(path));
  end.tell();
  EXPECT_EQ(tg::test::status_of(child), 0);
}

unsigned mode_of(const std::string& path) {
  struct stat state {};
  return ::stat(path.c_str(), &state) == 0 ? state.st_mode & 0777 : 0;
}

TEST(FileLock, users_who_may_write_the_file_may_open_the_lock_file_and_those_who_may_only_read_it_may_not) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  for (const auto& [file, lock] :
       {std::pair{0644, 0600}, {0664, 0660}, {0666, 0666}, {0600, 0600}, {0444, 0600}}) {
    put(path, "{}");
    ASSERT_EQ(::chmod(path.c_str(), static_cast<mode_t>(file)), 0);
    const Writer writer(path);
    EXPECT_EQ(mode_of(path + ".lock"), static_cast<unsigned>(lock));
  }
  fs::remove(path);
  for (const auto& [mask, lock] : {std::pair{022, 0600}, {002, 0660}, {077, 0600}, {0, 0666}}) {
    const mode_t before = ::umask(static_cast<mode_t>(mask));
    const std::string fresh = path + std::to_string(mask);
    const Writer writer(fresh);
    ::umask(before);
    EXPECT_EQ(mode_of(fresh + ".lock"), static_cast<unsigned>(lock));
  }
}

TEST(FileLock, another_user_gets_the_number_of_the_process_or_the_user_that_the_lock_file_belongs_to) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  constexpr uid_t kOther = 54321;
  const Folder folder;
  const std::string path = folder.file("v.json");
  ASSERT_EQ(::chmod(folder.file("").c_str(), 0777), 0);
  const auto as_other = [&](const std::string& says) {
    return tg::test::in_child([&] {
      REQUIRE_IN_CHILD(::setuid(kOther) == 0);
      std::string said = "no error";
      try {
        Writer other(path);
      } catch (const tg::ResourceError& e) {
        said = e.what();
      }
      if (!tg::test::has(said, says)) throw std::runtime_error(said);
    });
  };
  put(path, "{}");
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  {
    const Writer writer(path);
    EXPECT_EQ(as_other("process " + std::to_string(::getpid()) + ","), 0);
  }
  EXPECT_EQ(as_other("no error"), 0);
  // The file is now the other user's. A lock file that its owner left behind, and that no one else may open:
  put(path + ".lock", "123\n");
  ASSERT_EQ(::chmod((path + ".lock").c_str(), 0600), 0);
  EXPECT_EQ(as_other("Permission denied; it belongs to the user with the id 0: remove it"), 0);
}

}  // namespace
}  // namespace file_lock_test

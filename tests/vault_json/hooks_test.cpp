// SPDX-License-Identifier: Apache-2.0
// What holds where memory runs out in the middle of the work on a file, and where steps of two threads meet
// there.
#include "hooks.hpp"

#include "support.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <new>
#include <semaphore>
#include <thread>

#include <threadgroup/vault_json.hpp>

#include "support/eventually.hpp"
#include "vault_json/durable_file.hpp"

namespace hooks_test {
namespace {

using namespace std::chrono_literals;
using tg::JsonMode;
using tg::JsonResource;
using tg::detail::file_calls;
using tg::test::contents;
using tg::test::eventually;
using tg::test::FileHooks;
using tg::test::Folder;
using tg::test::put;
using tg::test::spare;

const tg::Key<int> number{"number"};
const tg::Key<std::string> text{"text"};

// The state of a test, for hooks, which are plain functions.
struct Scene {
  std::thread::id main = std::this_thread::get_id();
  tg::detail::FileCalls real = file_calls;
  std::atomic<int> count = 0;
  std::atomic<int> opened = 0;
  std::atomic<bool> armed = false;
  std::binary_semaphore reached{0};
  std::binary_semaphore go_on{0};
};
Scene* scene = nullptr;

class JsonHooks : public ::testing::Test {
 protected:
  void SetUp() override { scene = &scene_; }
  void TearDown() override { scene = nullptr; }

  Scene scene_;
  FileHooks hooks_;
  Folder folder_;
  const std::string path_ = folder_.file("a_name_that_is_not_short.json");
};

TEST_F(JsonHooks, an_error_in_the_background_without_memory_to_describe_it_does_not_end_the_process) {
  put(path_, "{\"number\": 1}");
  tg::Vault vault("v", {number});
  // One after the other, each allocation of a look that fails.
  file_calls.stat = [](const char* path, struct stat* result) {
    if (scene->armed && std::this_thread::get_id() != scene->main) tg::test::fail_one_after(scene->count++);
    return scene->real.stat(path, result);
  };
  JsonResource file{path_, JsonMode::read_live, {.interval = 1ms}};
  file.attach(vault, {number});
  std::filesystem::remove(path_);
  scene_.armed = true;
  eventually([&] { return scene_.count >= 40; });
  scene_.armed = false;
  eventually([&] { return tg::test::has(file.last_error(), "there is no file"); });
  put(path_, "{\"number\": 2}");
  eventually([&] { return file.last_error().empty(); });
  EXPECT_EQ(vault.get(number), 2);
}

TEST_F(JsonHooks, an_attach_that_fails_at_any_allocation_leaves_the_vault_writable_and_empty) {
  for (const JsonMode mode : {JsonMode::read, JsonMode::append}) {
    int points = 0;
    for (bool failed = true; failed; ++points) {
      put(path_, "{\"number\": 1, \"text\": \"a text that is too long to be stored in place\"}");
      tg::Vault vault("v", {number, text});
      bool threw = false;
      {
        JsonResource file{path_, mode};
        tg::test::fail_one_after(points);
        try {
          file.attach(vault, {number, text});
        } catch (const std::bad_alloc&) {
          threw = true;
        } catch (const tg::ResourceError& e) {
          EXPECT_STREQ(e.what(), "out of memory");  // while the file was written
          threw = true;
        }
        failed = spare();
        EXPECT_TRUE(failed || !threw);
        EXPECT_EQ(vault.size(), threw ? 0U : 2U) << "allocation " << points;
        if (!threw) continue;
        EXPECT_NO_THROW(vault.insert_all(tg::entry(number, 3), tg::entry(text, "mine")))
            << "allocation " << points;
        EXPECT_NO_THROW(vault.erase(number, text));
        EXPECT_NO_THROW(file.attach(vault, {number, text})) << "allocation " << points;
      }
    }
    EXPECT_GT(points, 30);
  }
}

TEST_F(JsonHooks, a_write_that_runs_out_of_memory_after_the_file_was_replaced_counts_as_written) {
  tg::Vault vault("v", {number, text}, {.permit_modification = true});
  JsonResource file{path_, JsonMode::write};
  file.attach(vault, {number, text});
  file_calls.rename = [](const char* from, const char* to) {
    const int result = scene->real.rename(from, to);
    tg::test::fail_all();
    return result;
  };
  std::string said;
  try {
    vault.insert(number, 1);
  } catch (const std::exception& e) {
    spare();
    said = e.what();
  }
  spare();
  EXPECT_EQ(said, "");
  EXPECT_HAS(contents(path_), "\"number\": 1");
  EXPECT_EQ(file.last_error(), "");

  // The same, and the folder cannot be synced: that is no reason for the insert to fail, but one for `flush`.
  static int syncs = 0;
  syncs = 0;
  file_calls.fsync = [](int fd) { return ++syncs % 2 == 0 ? (errno = EIO, -1) : scene->real.fsync(fd); };
  try {
    vault.insert(number, 2);
  } catch (const std::exception& e) {
    spare();
    said = e.what();
  }
  spare();
  EXPECT_EQ(said, "");
  EXPECT_HAS(contents(path_), "\"number\": 2");
  EXPECT_EQ(file.last_error(), "out of memory");
  file_calls = scene_.real;
  EXPECT_NO_THROW(file.flush());
  EXPECT_EQ(file.last_error(), "");
}

TEST_F(JsonHooks, a_folder_is_closed_again_although_memory_runs_out_while_it_is_read) {
  file_calls.opendir = [](const char* path) {
    ++scene->opened;
    return scene->real.opendir(path);
  };
  file_calls.closedir = [](DIR* listing) {
    --scene->opened;
    return scene->real.closedir(listing);
  };
  for (int points = 0;; ++points) {
    for (const char* name : {".0123456789abcdef.tmp", ".fedcba9876543210.tmp", ".0123456789fedcba.tmp"})
      put(path_ + name, "");
    tg::detail::DurableFile file(path_);
    tg::test::fail_one_after(points);
    try {
      file.remove_leftovers();
    } catch (const std::bad_alloc&) {
    }
    const bool failed = spare();
    EXPECT_EQ(scene_.opened, 0) << "allocation " << points;
    if (failed) continue;
    EXPECT_GT(points, 3);
    EXPECT_TRUE(folder_.names().empty());
    return;
  }
}

// The background's attempt fails, and is held up before it tells the background: meanwhile a flush succeeds.
TEST_F(JsonHooks, an_error_in_the_background_that_a_flush_has_repaired_is_not_told_any_more) {
  tg::Vault vault("v", {number}, {.permit_modification = true});
  file_calls.rename = [](const char* from, const char* to) {
    if (std::this_thread::get_id() == scene->main || !scene->armed.exchange(false))
      return scene->real.rename(from, to);
    tg::test::call_after(scene->count, [] {
      scene->reached.release();
      // It may hold what the flush waits for.
      static_cast<void>(scene->go_on.try_acquire_for(100ms));
    });
    errno = EIO;
    return -1;
  };
  JsonResource file{path_, JsonMode::write, {.sync = tg::JsonSync::batched, .interval = 1ms}};
  file.attach(vault, {number});
  for (int points = 0; points < 16; ++points) {
    scene_.count = points;
    scene_.armed = true;
    vault.insert(number, points);
    while (!scene_.reached.try_acquire_for(20ms)) vault.insert(number, points);
    EXPECT_NO_THROW(file.flush());
    scene_.go_on.release();
    for (int looks = 0; looks < 20; ++looks) {
      EXPECT_EQ(file.last_error(), "") << "held up at allocation " << points;
      tg::test::leave_time(1ms);
    }
    static_cast<void>(scene_.go_on.try_acquire());
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace hooks_test

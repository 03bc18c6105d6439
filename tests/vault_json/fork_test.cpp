// SPDX-License-Identifier: Apache-2.0
// A process that is forked while vaults are kept in files: in the child each operation works or throws
// ForkedError.
#include "support.hpp"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <threadgroup/errors.hpp>
#include <threadgroup/vault_json.hpp>

#include "base/sanitizers.hpp"

// By default ThreadSanitizer ends a child that starts threads when its parent had several. The other option
// is that of support/no_pause_at_exit.cpp.
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "die_after_fork=0:atexit_sleep_ms=0"; }

namespace fork_test {
namespace {

using tg::JsonMode;
using tg::JsonOptions;
using tg::JsonResource;
using tg::JsonSync;
using tg::test::contents;
using tg::test::Folder;
using tg::test::put;

const tg::Key<int> number{"number"};

template <class F>
bool throws_forked(F&& f) {
  try {
    f();
  } catch (const tg::ForkedError&) {
    return true;
  }
  return false;
}

struct Kept {
  Kept(const std::string& path, JsonMode mode, JsonOptions options = {})
      : file(std::make_unique<JsonResource>(path, mode, options)) {
    file->attach(vault, {number});
  }
  tg::Vault vault{"v", {number}, {.permit_modification = true}};
  std::unique_ptr<JsonResource> file;
};

void require_that_the_file_is_the_parents(Kept& kept) {
  REQUIRE_IN_CHILD(throws_forked([&] { kept.file->flush(); }));
  REQUIRE_IN_CHILD(throws_forked([&] { kept.file->refresh(); }));
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(kept.file->last_error()); }));
  REQUIRE_IN_CHILD(throws_forked([&] { kept.file->attach(kept.vault, {number}); }));
  REQUIRE_IN_CHILD(!kept.file->path().empty());
  kept.file.reset();
}

void require_that_new_ones_work(const std::string& path) {
  for (const JsonSync sync : {JsonSync::every_change, JsonSync::batched}) {
    Kept own(path, JsonMode::append, {.sync = sync});
    own.vault.insert(number, 5);
    own.file->flush();
    Kept reader(path, JsonMode::read_live);
    REQUIRE_IN_CHILD(reader.vault.get(number) == 5);
  }
}

TEST(JsonFork, the_resource_of_a_child_s_parent_says_what_is_wrong_and_goes_away_at_once) {
  if (TG_ADDRESS_SANITIZER)
    GTEST_SKIP() << "the allocator of the address sanitizer does not survive a fork of several threads";
  const Folder folder;
  put(folder.file("read.json"), "{\"number\": 1}");
  Kept each(folder.file("each.json"), JsonMode::write);
  each.vault.insert(number, 1);
  Kept batched(folder.file("batched.json"), JsonMode::write,
               {.sync = JsonSync::batched, .interval = std::chrono::hours(1)});
  batched.vault.insert(number, 1);
  Kept live(folder.file("read.json"), JsonMode::read_live, {.interval = std::chrono::milliseconds(1)});
  EXPECT_EQ(tg::test::in_child([&] {
              for (Kept* kept : {&each, &batched}) {
                REQUIRE_IN_CHILD(throws_forked([&] { kept->vault.insert(number, 2); }));
                REQUIRE_IN_CHILD(kept->vault.get(number) == 1);
              }
              for (Kept* kept : {&each, &batched, &live}) require_that_the_file_is_the_parents(*kept);
              require_that_new_ones_work(folder.file("child.json"));
            }),
            0);
  EXPECT_EQ(contents(folder.file("each.json")), "{\n  \"number\": 1\n}\n");
  EXPECT_EQ(contents(folder.file("batched.json")), "{}\n");
  each.vault.insert(number, 3);
  batched.vault.insert(number, 3);
  batched.file->flush();
  EXPECT_HAS(contents(folder.file("each.json")), "3");
  EXPECT_HAS(contents(folder.file("batched.json")), "3");
}

TEST(JsonFork, a_fork_at_any_time_leaves_no_lock_behind) {
  if (TG_ADDRESS_SANITIZER || TG_THREAD_SANITIZER)
    GTEST_SKIP() << "the allocators of the sanitizers do not survive a fork while other threads allocate";
  const Folder folder;
  put(folder.file("read.json"), "{\"number\": 1}");
  const JsonOptions often{.sync = JsonSync::batched, .interval = std::chrono::microseconds(50)};
  Kept each(folder.file("each.json"), JsonMode::write);
  Kept batched(folder.file("batched.json"), JsonMode::write, often);
  Kept live(folder.file("read.json"), JsonMode::read_live, often);
  std::atomic<bool> stop{false};
  std::vector<std::jthread> hammers;
  hammers.emplace_back([&] {
    for (int i = 0; !stop; ++i) {
      each.vault.insert(number, i);
      batched.vault.insert(number, i);
    }
  });
  hammers.emplace_back([&] {
    for (int i = 0; !stop; ++i) {
      static_cast<void>(each.file->last_error());
      put(folder.file("read.json"), "{\"number\": " + std::to_string(i) + "}");
      live.file->refresh();
      Kept("" + folder.file("own.json"), JsonMode::append).vault.insert(number, i);
    }
  });
  int status = 0;
  for (int i = 0; i < 60 && status == 0; ++i) {
    status = tg::test::in_child([&] {
      for (Kept* kept : {&each, &batched, &live}) require_that_the_file_is_the_parents(*kept);
      require_that_new_ones_work(folder.file("child.json"));
    });
  }
  EXPECT_EQ(status, 0);
  stop = true;
}

}  // namespace
}  // namespace fork_test

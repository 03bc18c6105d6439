// SPDX-License-Identifier: Apache-2.0
// A disk that does not answer: it holds up no task that is stopped, and what was begun goes on.
#include "support.hpp"

#include <sys/file.h>

#include <atomic>
#include <memory>
#include <semaphore>
#include <thread>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>
#include <threadgroup/vault_json.hpp>

#include "runtime/faults.hpp"
#include "runtime/threads.hpp"
#include "vault_json/file_calls.hpp"

namespace aside_test {
namespace {

using namespace std::chrono_literals;
using tg::JsonMode;
using tg::JsonOptions;
using tg::JsonResource;
using tg::test::contents;
using tg::test::Folder;
using tg::test::put;

const tg::Key<int> number{"number"};
const tg::Key<int> other{"other"};
const JsonOptions kImpatient{.stop_grace = 1ms};

// While it lives, calls of one kind do not come back from the disk until it answers.
class HangingDisk {
 public:
  enum class Call { none, fsync, stat, flock };
  explicit HangingDisk(Call call) { hanging_ = call; }
  HangingDisk(const HangingDisk&) = delete;
  HangingDisk& operator=(const HangingDisk&) = delete;
  ~HangingDisk() { answer(); }

  /// Returns once a call hangs.
  void wait_for_call() { reached_.acquire(); }
  void answer() {
    hanging_ = Call::none;
    for (; hung_ > 0; --hung_) answered_.release();
  }

  /// Once, before any test: flows that were left behind may call at any time.
  static bool install() {
    tg::detail::file_calls.fsync = [](int fd) { return hang(Call::fsync), ::fsync(fd); };
    tg::detail::file_calls.stat = [](const char* path, struct stat* s) {
      return hang(Call::stat), ::stat(path, s);
    };
    tg::detail::file_calls.flock = [](int fd, int what) { return hang(Call::flock), ::flock(fd, what); };
    return true;
  }

 private:
  static void hang(Call call) {
    Call expected = call;
    if (!hanging_.compare_exchange_strong(expected, Call::none)) return;  // one call hangs
    ++hung_;
    reached_.release();
    answered_.acquire();
  }
  static inline std::atomic<Call> hanging_{Call::none};
  static inline std::atomic<int> hung_{0};
  static inline std::counting_semaphore<> reached_{0};
  static inline std::counting_semaphore<> answered_{0};
};
const bool installed = HangingDisk::install();

struct Kept {
  explicit Kept(const std::string& path, JsonMode mode = JsonMode::append, JsonOptions options = kImpatient)
      : file{path, mode, options} {
    file.attach(vault, {number, other});
  }
  tg::Vault vault{"v", {number, other}, {.permit_modification = true}};
  JsonResource file;
};

void wait_until_gone(const std::string& path) {
  while (std::filesystem::exists(path)) std::this_thread::yield();
}

TEST(JsonHang, a_stopped_task_is_not_held_by_its_insert_and_the_value_comes_to_the_file_in_the_end) {
  const Folder folder;
  Kept kept(folder.file("v.json"));
  HangingDisk disk(HangingDisk::Call::fsync);
  tg::ThreadGroup group("g", {.max_concurrent_threads = 2});
  const auto first = group.add_task([&] { kept.vault.insert(number, 1); });
  disk.wait_for_call();
  // Waits for the attempt of the first.
  const auto second = group.add_task([&] { kept.vault.insert(other, 2); });
  EXPECT_EQ(kept.vault.wait_for(other), tg::KeyWait::present);
  group.set_event("enough");
  static_cast<void>(first.wait());
  static_cast<void>(second.wait());
  EXPECT_EQ(first.status(), tg::TaskStatus::stopped);
  EXPECT_EQ(second.status(), tg::TaskStatus::stopped);
  EXPECT_HAS(tg::test::error_of<tg::ResourceInterrupted>([&] { first.get(); }), "v.json");
  EXPECT_EQ(kept.vault.get(number), 1);
  EXPECT_EQ(contents(folder.file("v.json")), "{}\n");
  disk.answer();
  kept.file.flush();
  EXPECT_EQ(contents(folder.file("v.json")), "{\n  \"number\": 1,\n  \"other\": 2\n}\n");
}

TEST(JsonHang, a_stopped_task_still_keeps_its_results_on_a_disk_that_works) {
  const Folder folder;
  Kept kept(folder.file("v.json"), JsonMode::write, {});
  std::binary_semaphore running(0);
  tg::ThreadGroup group("g");
  const auto task = group.add_task([&] {
    running.release();
    static_cast<void>(tg::thread_utils::event_aware_sleep(600s));
    kept.vault.insert(number, 1);
    return contents(folder.file("v.json"));
  });
  running.acquire();
  group.set_event("enough");
  EXPECT_HAS(task.get(), "1");
}

TEST(JsonHang, a_stopped_task_is_not_held_by_attaching_and_the_lock_is_freed_in_the_end) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  HangingDisk disk(HangingDisk::Call::flock);
  tg::ThreadGroup group("g");
  const auto task = group.add_task([&] { Kept kept(path); });
  disk.wait_for_call();
  group.set_event("enough");
  static_cast<void>(task.wait());
  EXPECT_EQ(task.status(), tg::TaskStatus::stopped);
  disk.answer();
  wait_until_gone(path + ".lock");
  EXPECT_NO_THROW(Kept kept(path));
}

TEST(JsonHang, a_stopped_task_is_not_held_by_a_refresh_and_what_comes_later_is_not_taken_over) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  put(path, "{\"number\": 1}");
  JsonOptions options = kImpatient;
  options.interval = 1h;
  Kept kept(path, JsonMode::read_live, options);
  put(path, "{\"number\": 2, \"other\": 2}");
  HangingDisk disk(HangingDisk::Call::stat);
  tg::ThreadGroup group("g");
  const auto task = group.add_task([&] { return kept.file.refresh(); });
  disk.wait_for_call();
  group.set_event("enough");
  static_cast<void>(task.wait());
  EXPECT_EQ(task.status(), tg::TaskStatus::stopped);
  disk.answer();
  EXPECT_EQ(kept.vault.get(number), 1);
  EXPECT_TRUE(kept.file.refresh());
  EXPECT_EQ(kept.vault.get(number), 2);
}

TEST(JsonHang,
     a_stopped_task_is_not_held_by_the_end_of_its_resource_and_the_file_stays_locked_until_all_is_over) {
  for (const tg::JsonSync sync : {tg::JsonSync::batched, tg::JsonSync::every_change}) {
    const Folder folder;
    const std::string path = folder.file("v.json");
    std::binary_semaphore attached(0);
    std::binary_semaphore go(0);
    tg::ThreadGroup group("g");
    const auto task = group.add_task([&] {
      Kept kept(path, JsonMode::append, {.sync = sync, .interval = 1ms, .stop_grace = 1ms});
      attached.release();
      go.acquire();
      kept.vault.insert(number, 1);
      static_cast<void>(tg::thread_utils::event_aware_sleep(600s));
    });
    attached.acquire();
    HangingDisk disk(HangingDisk::Call::fsync);
    go.release();
    disk.wait_for_call();
    group.set_event("enough");
    static_cast<void>(task.wait());
    EXPECT_HAS(tg::test::error_of<tg::ResourceError>([&] { Kept second(path); }), "this process");
    disk.answer();
    wait_until_gone(path + ".lock");
    EXPECT_EQ(Kept(path).vault.get(number), 1);
  }
}

TEST(JsonHang, without_a_thread_to_be_had_a_task_writes_by_itself) {
  const Folder folder;
  Kept kept(folder.file("v.json"));
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  const auto task = group.add_task([&] {
    tg::runtime::ThreadCache::instance().set_limits(0, 0ms);  // no idle thread
    tg::runtime::faults::refuse_threads(1);
    kept.vault.insert(number, 1);
    tg::runtime::faults::refuse_threads(0);
    tg::runtime::ThreadCache::instance().set_limits(tg::runtime::ThreadCache::kDefaultMaxIdle,
                                                    tg::runtime::ThreadCache::kDefaultIdleTime);
    return contents(folder.file("v.json"));
  });
  EXPECT_HAS(task.get(), "1");
}

}  // namespace
}  // namespace aside_test

// SPDX-License-Identifier: Apache-2.0
// Files of vaults: written by the caller, by a task and in the background, read, and followed.
#include "forks/files.hpp"

#if TG_FORKS_WITH_FILES

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <threadgroup/vault_json.hpp>

#include "forks/child.hpp"
#include "forks/require.hpp"
#include "forks/stepper.hpp"
#include "vault_json/file_calls.hpp"
#include "vault_json/support.hpp"

namespace tg::forks {
namespace {

using namespace std::chrono_literals;

constexpr int kOfTheParent = 1'234;
constexpr int kOfTheChild = 47'110'815;
constexpr long kOfABackground = 60'000;  // instructions: an attempt to write, or a look at a followed file
constexpr int kSteppedBackgrounds = 4;

struct Kept {
  Kept(std::string kind, JsonMode mode, JsonSync sync, Duration interval, const std::string& path)
      : name(std::move(kind)),
        writes(mode == JsonMode::write || mode == JsonMode::append),
        file(std::make_unique<JsonResource>(path, mode, JsonOptions{.sync = sync, .interval = interval})) {
    file->attach(*vault, {key_a});
  }
  const std::string name;
  const bool writes;
  std::unique_ptr<Vault> vault =
      std::make_unique<Vault>("kept", KeyList{key_a}, VaultOptions{.permit_modification = true});
  std::unique_ptr<JsonResource> file;
};

struct Files {
  test::Folder folder;
  std::array<std::unique_ptr<Kept>, 4> kept;
};
constinit std::atomic<Files*> inherited_files{nullptr};
constinit Files* made = nullptr;  // the script's, also once the children do not inherit them any more

// --- The threads that write and read in the background

constinit std::atomic<int> backgrounds{0};
constinit thread_local bool in_script = false;
constinit detail::FileCalls real_calls = {};

// The first call that an attempt to write, or a look at a followed file, makes.
void step_in_background(const char* path) noexcept {
  if (in_script || backgrounds.load() <= 0 || backgrounds.fetch_sub(1) <= 0) return;
  step(std::string_view(path).ends_with("live.json") ? "a file is followed in the background"
                                                     : "a file is written in the background",
       kOfABackground);
}

void watch_backgrounds() {
  real_calls = detail::file_calls;
  detail::file_calls.lstat = [](const char* path, auto* result) {
    step_in_background(path);
    return real_calls.lstat(path, result);
  };
  detail::file_calls.stat = [](const char* path, auto* result) {
    step_in_background(path);
    return real_calls.stat(path, result);
  };
}

std::string text_of(int value) { return "{\"a\": " + std::to_string(value) + "}"; }

}  // namespace

// --- The script

void make_inherited_files() {
  in_script = true;
  watch_backgrounds();
  auto files = std::make_unique<Files>();
  const test::Folder& folder = files->folder;
  test::put(folder.file("live.json"), text_of(kOfTheParent));
  const auto make = [&](const char* kind, JsonMode mode, JsonSync sync, Duration interval) {
    return std::make_unique<Kept>(kind, mode, sync, interval, folder.file(std::string(kind) + ".json"));
  };
  files->kept = {make("plain", JsonMode::write, JsonSync::every_change, 1h),
                 make("batched", JsonMode::write, JsonSync::batched, 1ms),
                 make("append", JsonMode::append, JsonSync::batched, 1h),
                 make("live", JsonMode::read_live, JsonSync::every_change, 1ms)};
  for (const auto& kept : files->kept) {
    if (kept->writes) kept->vault->insert(key_a, kOfTheParent);
  }
  made = files.release();
  inherited_files = made;
}

void use_files() {
  const test::Folder& folder = made->folder;
  for (const auto& kept : made->kept) {
    const Stepped stepped("an inherited vault that is kept in a file");
    if (kept->writes) kept->vault->insert(key_a, kOfTheParent);
    static_cast<void>(kept->vault->get(key_a));
    static_cast<void>(kept->file->last_error());
    kept->file->flush();
    kept->file->refresh();
  }
  backgrounds = kSteppedBackgrounds;
  while (backgrounds.load() > 0) {
    made->kept[1]->vault->insert(key_a, kOfTheParent);
    test::put(folder.file("live.json"), text_of(kOfTheParent));
    std::this_thread::yield();
  }
  {
    ThreadGroup group("files");
    static_cast<void>(group
                          .add_task([] {
                            in_script = true;
                            step("a task inserts into a vault that is kept in a file", kOfABackground);
                            made->kept[0]->vault->insert(key_a, kOfTheParent);
                            stop_stepping();
                            in_script = false;
                          })
                          .wait());
  }
  const std::string path = folder.file("own.json");
  using Kind = std::pair<JsonMode, JsonSync>;
  for (const auto& [mode, sync] :
       {Kind{JsonMode::write, JsonSync::every_change}, Kind{JsonMode::append, JsonSync::batched},
        Kind{JsonMode::read_live, JsonSync::every_change}}) {
    // One by one, because the stepping ends where a thread is made.
    std::unique_ptr<Kept> own;
    {
      const Stepped stepped("a file is attached");
      own = std::make_unique<Kept>("own", mode, sync, 1h, path);
    }
    if (own->writes) {
      const Stepped stepped("a value is kept in a file");
      own->vault->insert(key_a, kOfTheParent);
      own->file->flush();
    }
    const Stepped stepped("a file is left");
    own.reset();
  }
}

bool check_and_remove_files() {
  if (made == nullptr) return true;
  bool fine = true;
  for (const auto& kept : made->kept) {
    if (kept->writes) kept->file->flush();
    const std::string text = test::contents(kept->file->path());
    if (text.find(std::to_string(kOfTheParent)) != std::string::npos &&
        text.find(std::to_string(kOfTheChild)) == std::string::npos)
      continue;
    std::fprintf(stderr, "%s holds: %s\n", kept->file->path().c_str(), text.c_str());
    fine = false;
  }
  delete made;
  made = nullptr;
  return fine;
}

// --- The child

namespace {

// A lock lasts as long as a process has it open.
bool holds_a_file_lock() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    if (test::contents(entry.path()).find("FLOCK") != std::string::npos) return true;
  }
  return false;
}

void touch_inherited(Kept& kept) {
  now_touching(("an inherited vault, kept in a file: " + kept.name).c_str());
  if (kept.writes) {
    REQUIRE(throws_forked([&] { kept.vault->insert(key_a, kOfTheChild); }));
    REQUIRE(throws_forked([&] { kept.vault->erase(key_a); }));
  }
  REQUIRE(kept.vault->get(key_a) == kOfTheParent);
  REQUIRE(kept.vault->wait_for(key_a) == KeyWait::present);
  now_touching(("an inherited file: " + kept.name).c_str());
  REQUIRE(throws_forked([&] { kept.file->flush(); }));
  REQUIRE(throws_forked([&] { kept.file->refresh(); }));
  REQUIRE(throws_forked([&] { static_cast<void>(kept.file->last_error()); }));
  REQUIRE(throws_forked([&] { kept.file->attach(*kept.vault, {key_a}); }));
  const std::string path = kept.file->path();
  now_touching(("the end of an inherited file: " + kept.name).c_str());
  if (kept.name == "plain") kept.vault.reset();  // in either order
  kept.file.reset();
  if (kept.vault != nullptr) {
    now_touching(("a vault that an inherited file has left: " + kept.name).c_str());
    kept.vault->insert(key_a, kOfTheChild);
    REQUIRE(kept.vault->get(key_a) == kOfTheChild);
    kept.vault.reset();
  }
  REQUIRE(test::contents(path).find(std::to_string(kOfTheChild)) == std::string::npos);
}

}  // namespace

void touch_inherited_files() {
  now_touching("the locks of inherited files");
  REQUIRE(!holds_a_file_lock());
  Files* const files = inherited_files;
  if (files == nullptr) return;
  for (const auto& kept : files->kept) touch_inherited(*kept);
}

void touch_new_files() {
  now_touching("new files");
  const test::Folder folder;
  const std::string path = folder.file("child.json");
  for (const JsonSync sync : {JsonSync::every_change, JsonSync::batched}) {
    const Kept own("new", JsonMode::append, sync, 1h, path);
    own.vault->insert(key_a, 5);
    own.file->flush();
    const Kept reader("new", JsonMode::read_live, JsonSync::every_change, 1h, path);
    REQUIRE(reader.vault->get(key_a) == 5);
    REQUIRE(!reader.file->refresh());
  }
}

}  // namespace tg::forks

#else

namespace tg::forks {

void make_inherited_files() {}
void use_files() {}
bool check_and_remove_files() { return true; }
void touch_inherited_files() {}
void touch_new_files() {}

}  // namespace tg::forks

#endif

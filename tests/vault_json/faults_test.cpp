// SPDX-License-Identifier: Apache-2.0
// Programs that keep a vault in a file, with a fault at each of their system calls in turn.
#include "faults.hpp"

#include "base/sanitizers.hpp"
#include "support.hpp"
#include "support/eventually.hpp"

#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include <threadgroup/vault_json.hpp>

namespace faults_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using tg::JsonMode;
using tg::JsonResource;
using tg::test::eventually;
using tg::test::FaultPlan;
using tg::test::Faults;
using tg::test::Folder;
using What = tg::test::FaultPlan::What;

struct Ring {
  tg::Key<int> a{"a"};
  tg::Key<std::string> b{"b"};
  tg::Key<std::int64_t> c{"c"};
};
const Ring ring;

json state_of(const tg::Vault& vault) {
  json state = json::object();
  if (const auto a = vault.try_get(ring.a)) state["a"] = *a;
  if (const auto b = vault.try_get(ring.b)) state["b"] = *b;
  if (const auto c = vault.try_get(ring.c)) state["c"] = *c;
  return state;
}

// The state of the file, or nothing if there is none. A file that is not whole is an error of the caller's.
std::optional<json> state_of(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  return json::parse(tg::test::contents(path));
}

// Does the steps of a program one by one, and looks after each whether the file is what the answer says.
class Checked {
 public:
  Checked(std::string path, bool may_fail) : path_(std::move(path)), may_fail_(may_fail) {}

  // True if the step succeeded.
  template <class F>
  bool step(const tg::Vault& vault, F&& f) {
    const std::optional<json> before = state_of(path_);
    std::string said;
    try {
      f();
    } catch (const tg::ResourceError& e) {
      said = e.what();
    }
    const std::optional<json> after = state_of(path_);
    if (said.empty()) {
      EXPECT_EQ(after, state_of(vault)) << "the answer was: done";
    } else {
      ++failed_;
      EXPECT_TRUE(may_fail_) << said;
      const bool has_written = tg::test::has(said, "is written, but");
      EXPECT_EQ(after, has_written ? state_of(vault) : before) << said;
    }
    return said.empty();
  }
  int failed() const { return failed_; }

 private:
  const std::string path_;
  const bool may_fail_;
  int failed_ = 0;
};

// One life of a program. With `attached` false its resource could not be attached.
void live(Checked& checked, const std::string& path, JsonMode mode, int number) {
  tg::Vault vault("v", ring, {.permit_modification = true});
  std::optional<JsonResource> file;
  try {
    file.emplace(path, mode);
  } catch (const tg::ResourceError&) {
    return;
  }
  if (!checked.step(vault, [&] { file->attach(vault, ring); })) return;
  checked.step(vault, [&] { vault.insert(ring.a, number); });
  checked.step(vault, [&] {
    vault.insert_all(tg::entry(ring.b, std::string(300, 'x')), tg::entry(ring.c, std::int64_t{number}));
  });
  checked.step(vault, [&] { vault.erase(ring.b); });
  checked.step(vault, [&] { file->flush(); });
}

void read(const std::string& path) {
  try {
    tg::Vault vault("v", ring);
    JsonResource file{path, JsonMode::read};
    file.attach(vault, ring);
    file.refresh();
    EXPECT_EQ(state_of(path), state_of(vault));
  } catch (const tg::ResourceError&) {
  }
}

void program(Checked& checked, const std::string& path) {
  live(checked, path, JsonMode::write, 1);
  live(checked, path, JsonMode::append, 2);
  read(path);
}

void expect_all_is_well(const Folder& folder, const std::string& path) {
  Checked checked(path, false);
  live(checked, path, JsonMode::append, 3);
  EXPECT_EQ(state_of(path), (json{{"a", 3}, {"c", 3}}));
  EXPECT_EQ(folder.names(), std::set<std::string>{"v.json"});
}

// Runs the program once for each of its calls, with the plan's fault there; says how many there were.
int sweep(FaultPlan plan, bool may_fail) {
  for (plan.at = 1;; ++plan.at) {
    SCOPED_TRACE("call " + std::to_string(plan.at));
    const Folder folder;
    const std::string path = folder.file("v.json");
    {
      const Faults faults(plan);
      Checked checked(path, may_fail);
      program(checked, path);
      if (!Faults::happened()) return plan.at - 1;
      Faults::repair();
    }
    expect_all_is_well(folder, path);
    if (::testing::Test::HasFailure()) return plan.at;
  }
}

TEST(JsonFaults, each_call_fails_once_and_the_file_is_what_the_answer_says) {
  for (const int error : {ENOSPC, EIO}) {
    SCOPED_TRACE(std::strerror(error));
    const int swept = sweep({.what = What::fails, .error = error}, true);
    EXPECT_GT(swept, 100);
    RecordProperty(std::strerror(error), swept);
  }
}

TEST(JsonFaults, all_calls_fail_from_one_on_and_after_the_repair_all_is_well) {
  EXPECT_GT(sweep({.what = What::all_fail, .error = EIO}, true), 30);
}

TEST(JsonFaults, a_signal_at_any_call_changes_nothing) {
  EXPECT_GT(sweep({.what = What::fails, .error = EINTR}, false), 100);
}

TEST(JsonFaults, short_reads_and_writes_change_nothing) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  const Faults faults({.shortened = true});
  Checked checked(path, false);
  live(checked, path, JsonMode::write, 1);
  read(path);
}

TEST(JsonFaults, a_renaming_that_happened_and_says_that_it_failed_counts_as_done) {
  for (const int error : {EIO, EINTR, ENOENT})
    EXPECT_GT(sweep({.what = What::lies, .error = error, .only = "rename"}, false), 5);
}

// --- Files that a flow in the background works on. How many calls there are depends on time.

// Whether it throws what a fault of the file makes it throw.
template <class F>
bool fails(F&& f) {
  try {
    f();
    return false;
  } catch (const tg::ResourceError&) {
    return true;
  }
}

// Changes are written in the background. Whatever failed, the next ones come to the file, once nothing fails.
void batched(const std::string& path) {
  tg::Vault vault("v", ring, {.permit_modification = true});
  std::optional<JsonResource> file;
  const auto open = [&] {
    file.reset();
    file.emplace(path, JsonMode::append, tg::JsonOptions{.sync = tg::JsonSync::batched, .interval = 100us});
    file->attach(vault, ring);
  };
  const auto is_kept = [&] { return state_of(path) == state_of(vault); };
  if (fails(open)) {
    EXPECT_TRUE(Faults::happened());
    EXPECT_TRUE(vault.empty());
    Faults::repair();
    open();
  }
  EXPECT_TRUE(is_kept());
  vault.insert(ring.a, 1);
  eventually([&] { return is_kept() || !file->last_error().empty(); });
  vault.insert_all(tg::entry(ring.b, std::string(300, 'x')), tg::entry(ring.c, std::int64_t{1}));
  if (fails([&] { file->flush(); })) {
    EXPECT_TRUE(Faults::happened());
  } else {
    EXPECT_TRUE(is_kept());
  }
  vault.erase(ring.b);
  eventually([&] { return is_kept() || !file->last_error().empty(); });
  Faults::repair();
  vault.insert(ring.a, 2);
  eventually(is_kept);
  eventually([&] { return file->last_error().empty(); });
}

// The file is followed in the background. Whatever failed, what it holds comes to the vault, once nothing
// fails.
void followed(const std::string& path) {
  tg::test::put(path, "{\"a\": 1}");
  tg::Vault vault("v", ring);
  std::optional<JsonResource> file;
  const auto open = [&] {
    file.reset();
    file.emplace(path, JsonMode::read_live, tg::JsonOptions{.interval = 100us});
    file->attach(vault, ring);
  };
  const auto is_known = [&] { return state_of(path) == state_of(vault); };
  if (fails(open)) {
    EXPECT_TRUE(Faults::happened());
    EXPECT_TRUE(vault.empty());
    Faults::repair();
    open();
  }
  EXPECT_TRUE(is_known());
  for (const char* text : {"{\"a\": 2}", "{\"a\": 3, \"c\": 1}", "{\"b\": \"text\"}"}) {
    tg::test::put(path, text);
    eventually([&] { return is_known() || !file->last_error().empty(); });
    if (fails([&] { file->refresh(); })) {
      EXPECT_TRUE(Faults::happened());
    } else {
      EXPECT_TRUE(is_known());
    }
  }
  Faults::repair();
  tg::test::put(path, "{\"a\": 4}");
  eventually(is_known);
  eventually([&] { return file->last_error().empty(); });
  EXPECT_EQ(vault.get(ring.a), 4);
}

// Runs the program with the plan's fault at one call after the other, until three runs in a row did not reach
// it; says in how many runs it was reached.
int sweep_with_background(void (*program)(const std::string& path), FaultPlan plan) {
  constexpr int kRuns = 3;
  int points = 0;
  int quiet = 0;
  for (plan.at = 1; quiet < kRuns; ++plan.at) {
    SCOPED_TRACE("call " + std::to_string(plan.at));
    const Folder folder;
    const std::string path = folder.file("v.json");
    {
      const Faults faults(plan);
      program(path);
      if (Faults::happened()) {
        ++points;
        quiet = 0;
      } else {
        ++quiet;
      }
      Faults::repair();
    }
    expect_all_is_well(folder, path);
    if (::testing::Test::HasFailure()) return points;
  }
  return points;
}

struct InBackground {
  const char* name;
  void (*program)(const std::string& path);
  int least;  // points
};

class JsonBackgroundFaults : public ::testing::TestWithParam<InBackground> {};

TEST_P(JsonBackgroundFaults, each_call_fails_once_and_then_all_is_well) {
  for (const int error : {ENOSPC, EIO, EINTR}) {
    SCOPED_TRACE(std::strerror(error));
    const int points = sweep_with_background(GetParam().program, {.what = What::fails, .error = error});
    EXPECT_GT(points, GetParam().least);
    RecordProperty(std::strerror(error), points);
  }
}

TEST_P(JsonBackgroundFaults, all_calls_fail_from_one_on_and_after_the_repair_all_is_well) {
  const int points = sweep_with_background(GetParam().program, {.what = What::all_fail, .error = EIO});
  EXPECT_GT(points, GetParam().least);
  RecordProperty("points", points);
}

INSTANTIATE_TEST_SUITE_P(Modes, JsonBackgroundFaults,
                         ::testing::Values(InBackground{"batched", batched, 40},
                                           InBackground{"read_live", followed, 15}),
                         [](const auto& mode) { return std::string(mode.param.name); });

TEST(JsonFaults, a_folder_that_cannot_be_synced_leaves_the_value_written_and_is_reported_by_flush) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  tg::Vault vault("v", ring);
  JsonResource file{path, JsonMode::write};
  file.attach(vault, ring);
  {
    // The file's comes first.
    const Faults faults({.what = What::fails, .at = 2, .error = EIO, .only = "fsync"});
    EXPECT_NO_THROW(vault.insert(ring.a, 1));
    EXPECT_EQ(state_of(path), (json{{"a", 1}}));
    EXPECT_HAS(file.last_error(), "cannot sync the folder");
    EXPECT_HAS(file.last_error(), "is written, but");
  }
  file.flush();
  EXPECT_EQ(file.last_error(), "");
  {
    const Faults faults({.what = What::all_fail, .at = 2, .error = EIO, .only = "fsync"});
    vault.insert(ring.c, 1);
    Faults::repair();
  }
  {
    const Faults faults({.what = What::fails, .at = 2, .error = EIO, .only = "fsync"});
    EXPECT_HAS(tg::test::error_of<tg::ResourceError>([&] { file.flush(); }), "cannot sync the folder");
  }
  {
    const Faults faults({.what = What::fails, .at = 2, .error = EINVAL, .only = "fsync"});
    EXPECT_NO_THROW(file.flush());  // a file system that has nothing to sync there
  }
}

TEST(JsonFaults, a_temporary_file_that_could_not_be_removed_is_removed_by_the_next_write) {
  const Folder folder;
  tg::Vault vault("v", ring);
  JsonResource file{folder.file("v.json"), JsonMode::write};
  file.attach(vault, ring);
  {
    const Faults faults({.what = What::all_fail, .at = 4, .error = EIO});
    EXPECT_THROW(vault.insert(ring.a, 1), tg::ResourceError);
  }
  EXPECT_EQ(folder.names().size(), 3U);
  vault.insert(ring.c, 1);
  EXPECT_EQ(folder.names(), (std::set<std::string>{"v.json", "v.json.lock"}));
}

// --- Crashes

// The states through which the program's file goes.
std::vector<std::optional<json>> states() {
  std::vector<std::optional<json>> all{std::nullopt};
  json state = json::object();
  all.emplace_back(state);
  for (int number = 1; number < 3; ++number) {
    state["a"] = number;
    all.emplace_back(state);
    state["b"] = std::string(300, 'x');
    state["c"] = number;
    all.emplace_back(state);
    state.erase("b");
    all.emplace_back(state);
  }
  return all;
}

// The program in a child, which counts to its parent the states that its answers have promised.
void program_that_counts(const std::string& path, int counter) {
  const auto count = [counter] { static_cast<void>(::write(counter, "x", 1)); };
  for (int number = 1; number < 3; ++number) {
    tg::Vault vault("v", ring, {.permit_modification = true});
    JsonResource file{path, number == 1 ? JsonMode::write : JsonMode::append};
    file.attach(vault, ring);
    if (number == 1) count();
    vault.insert(ring.a, number);
    count();
    vault.insert_all(tg::entry(ring.b, std::string(300, 'x')), tg::entry(ring.c, std::int64_t{number}));
    count();
    vault.erase(ring.b);
    count();
  }
}

class JsonCrash : public ::testing::TestWithParam<What> {};

TEST_P(JsonCrash, at_each_call_leaves_a_whole_file_with_all_that_was_promised) {
  const std::vector<std::optional<json>> all = states();
  int swept = 0;
  for (bool happened = true; happened;) {
    ++swept;
    SCOPED_TRACE("call " + std::to_string(swept));
    const Folder folder;
    const std::string path = folder.file("v.json");
    int counter[2];
    ASSERT_EQ(::pipe(counter), 0);
    const int status = tg::test::in_child([&] {
      const Faults faults({.what = GetParam(), .at = swept});
      program_that_counts(path, counter[1]);
      ::_exit(7);  // it came to its end
    });
    happened = status == 0;
    ASSERT_TRUE(happened || WEXITSTATUS(status) == 7) << status;
    ::close(counter[1]);
    std::size_t promised = 0;
    for (char byte = 0; ::read(counter[0], &byte, 1) == 1;) ++promised;
    ::close(counter[0]);
    const std::optional<json> found = state_of(path);
    ASSERT_LT(promised, all.size());
    EXPECT_TRUE(found == all[promised] || (promised + 1 < all.size() && found == all[promised + 1]))
        << promised;
    expect_all_is_well(folder, path);
    if (HasFailure()) return;
  }
  EXPECT_GT(swept, 100);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, JsonCrash,
                         ::testing::Values(What::ends_before, What::ends_within, What::ends_after));

TEST(JsonFaults, contents_come_to_the_disk_before_the_name_and_then_the_folder) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  tg::Vault vault("v", ring);
  JsonResource file{path, JsonMode::write};
  file.attach(vault, ring);
  const auto fails_at = [&](std::string_view call, int at) {
    const Faults faults({.what = What::fails, .at = at, .error = EIO, .only = call});
    try {
      vault.insert(ring.a, 1, tg::permit_modification);
      return false;
    } catch (const tg::ResourceError&) {
      return true;
    }
  };
  EXPECT_TRUE(fails_at("fsync", 1));  // no renaming after a failed sync of the contents
  EXPECT_EQ(state_of(path), json::object());
  EXPECT_FALSE(fails_at("fsync", 2));
  EXPECT_EQ(state_of(path), (json{{"a", 1}}));
}

}  // namespace
}  // namespace faults_test

// SPDX-License-Identifier: Apache-2.0
// Modes, durability, loading errors, the journal.
#include "support.hpp"

#include <atomic>
#include <cerrno>
#include <limits>
#include <map>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/vault_json.hpp>

#include "faults.hpp"
#include "support/eventually.hpp"

namespace users {
struct Point {
  int x = 0;
  int y = 0;
};
void to_json(nlohmann::json& json, const Point& p) { json = {{"x", p.x}, {"y", p.y}}; }
void from_json(const nlohmann::json& json, Point& p) {
  json.at("x").get_to(p.x);
  json.at("y").get_to(p.y);
}
struct Opaque {};
}  // namespace users

namespace resource_test {
namespace {

using namespace std::chrono_literals;
using tg::JsonMode;
using tg::JsonResource;
using tg::test::contents;
using tg::test::error_of;
using tg::test::eventually;
using tg::test::Folder;
using tg::test::put;

struct Ring {
  tg::Key<int> number{"number"};
  tg::Key<std::string> text{"text"};
  tg::Key<users::Point> point{"point"};
  tg::Key<users::Opaque> opaque{"opaque"};
  tg::Key<double> real{"real"};
  tg::Key<std::vector<int>> list{"list"};
  tg::Key<bool> flag{"flag"};
};
const Ring ring;

TEST(JsonWrite, every_change_is_in_the_file_when_the_call_returns) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  tg::Vault vault("v", ring);
  JsonResource file{path, JsonMode::write};
  file.attach(vault, ring);
  EXPECT_EQ(contents(path), "{}\n");
  vault.insert(ring.number, 1);
  EXPECT_EQ(nlohmann::json::parse(contents(path)), (nlohmann::json{{"number", 1}}));
  vault.insert_all(tg::entry(ring.text, "a \"quoted\" text"), tg::entry(ring.point, users::Point{3, 4}));
  const auto json = nlohmann::json::parse(contents(path));
  EXPECT_EQ(json.at("point").at("y"), 4);
  EXPECT_EQ(json.at("text"), "a \"quoted\" text");
  vault.erase(ring.number);
  EXPECT_FALSE(nlohmann::json::parse(contents(path)).contains("number"));
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST(JsonWrite, a_new_file_takes_the_place_of_an_old_one_and_holds_what_the_vault_held) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  put(path, "not even JSON");
  tg::Vault vault("v", ring);
  vault.insert(ring.number, 5);
  JsonResource file{path, JsonMode::write};
  file.attach(vault, ring);
  EXPECT_EQ(contents(path), "{\n  \"number\": 5\n}\n");
}

TEST(JsonWrite, a_key_of_a_type_that_is_not_jsonable_lives_in_the_vault_and_is_left_out) {
  const Folder folder;
  tg::Vault vault("v", ring);
  JsonResource file{folder.file("v.json"), JsonMode::write};
  file.attach(vault, ring);
  vault.insert(ring.opaque, users::Opaque());
  EXPECT_TRUE(vault.contains(ring.opaque));
  EXPECT_EQ(contents(folder.file("v.json")), "{}\n");
}

TEST(JsonWrite, a_value_that_json_cannot_hold_is_rejected_and_nothing_changes) {
  const Folder folder;
  tg::Vault vault("v", ring);
  JsonResource file{folder.file("v.json"), JsonMode::write};
  file.attach(vault, ring);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_HAS(error_of<tg::ValueRejectedError>([&] { vault.insert(ring.real, nan); }), "'real'");
  EXPECT_HAS(error_of<tg::ValueRejectedError>([&] { vault.insert(ring.text, "\xff\xfe"); }), "'text'");
  EXPECT_EQ(vault.size(), 0U);
}

TEST(JsonWrite, a_file_that_cannot_be_written_is_an_error_that_names_it_and_the_next_change_tries_again) {
  const Folder folder;
  std::filesystem::create_directory(folder.file("sub"));
  const std::string path = folder.file("sub/v.json");
  tg::Vault vault("v", ring);
  JsonResource file{path, JsonMode::write};
  file.attach(vault, ring);
  std::filesystem::rename(folder.file("sub"), folder.file("away"));
  EXPECT_HAS(error_of<tg::ResourceError>([&] { vault.insert(ring.number, 1); }), path);
  std::filesystem::rename(folder.file("away"), folder.file("sub"));
  vault.insert(ring.flag, true);
  EXPECT_EQ(nlohmann::json::parse(contents(path)), (nlohmann::json{{"number", 1}, {"flag", true}}));
}

TEST(JsonWrite, many_writers_share_the_work_and_each_finds_its_change_in_the_file) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  std::vector<tg::Key<int>> keys;
  tg::KeyList list;
  tg::JsonKeys json_keys{};
  for (int i = 0; i < 32; ++i) {
    keys.emplace_back("k" + std::to_string(i));
    list.add(keys.back());
    json_keys.add(keys.back());
  }
  tg::Vault vault("v", list);
  JsonResource file{path, JsonMode::write};
  file.attach(vault, json_keys);
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < keys.size(); i += 8) {
        vault.insert(keys[i], 1);
        EXPECT_TRUE(nlohmann::json::parse(contents(path)).contains(keys[i].name()));
      }
    });
  }
}

TEST(JsonWrite, batched_changes_are_in_the_file_after_a_flush_and_after_the_end) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  tg::Vault vault("v", ring);
  {
    JsonResource file{path, JsonMode::write, {.sync = tg::JsonSync::batched, .interval = 1h}};
    file.attach(vault, ring);
    vault.insert(ring.number, 1);
    EXPECT_EQ(contents(path), "{}\n");
    file.flush();
    EXPECT_HAS(contents(path), "number");
    vault.insert(ring.flag, true);
  }
  EXPECT_HAS(contents(path), "flag");
  vault.insert(ring.real, 1.5);  // the resource is detached from the vault
  EXPECT_FALSE(tg::test::has(contents(path), "real"));
}

TEST(JsonWrite, batched_changes_come_to_the_file_by_themselves) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  tg::Vault vault("v", ring);
  JsonResource file{path, JsonMode::write, {.sync = tg::JsonSync::batched, .interval = 1ms}};
  file.attach(vault, ring);
  vault.insert(ring.number, 1);
  while (!tg::test::has(contents(path), "number")) std::this_thread::yield();
}

TEST(JsonWrite, one_vault_is_written_to_one_file) {
  const Folder folder;
  tg::Vault vault("v", ring);
  JsonResource one{folder.file("1.json"), JsonMode::write};
  JsonResource two{folder.file("2.json"), JsonMode::write};
  one.attach(vault, ring);
  EXPECT_THROW(two.attach(vault, ring), tg::VaultError);
  EXPECT_THROW(one.attach(vault, ring), std::logic_error);
}

TEST(JsonAppend, what_one_life_of_the_program_stored_the_next_one_finds) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  for (int life = 1; life <= 3; ++life) {
    tg::Vault vault("v", ring, {.permit_modification = true});
    JsonResource file{path, JsonMode::append};
    file.attach(vault, ring);
    EXPECT_EQ(vault.try_get(ring.number).value_or(0), life - 1);
    vault.insert_all(tg::entry(ring.number, life), tg::entry(ring.real, 0.1 * life),
                     tg::entry(ring.list, std::vector{life, life}), tg::entry(ring.flag, true),
                     tg::entry(ring.point, users::Point{life, -life}));
  }
  tg::Vault vault("v", ring);
  JsonResource file{path, JsonMode::append};
  file.attach(vault, ring);
  EXPECT_EQ(vault.get(ring.number), 3);
  EXPECT_EQ(vault.get(ring.real), 0.1 * 3);
  EXPECT_EQ(vault.get(ring.list), (std::vector{3, 3}));
  EXPECT_EQ(vault.get(ring.point).y, -3);
}

TEST(JsonAppend, modifiers_do_not_run_again_on_what_is_loaded_but_validators_do) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  const tg::Key<int> key{"n", tg::modifier([](int i) { return i + 1; }),
                         tg::validator("below 10", [](const int& i) { return i < 10; })};
  {
    tg::Vault vault("v", {key});
    JsonResource file{path, JsonMode::append};
    file.attach(vault, {key});
    vault.insert(key, 1);
  }
  {
    tg::Vault vault("v", {key});
    JsonResource file{path, JsonMode::append};
    file.attach(vault, {key});
    EXPECT_EQ(vault.get(key), 2);
  }
  put(path, "{\"n\": 11}");
  tg::Vault vault("v", {key});
  JsonResource file{path, JsonMode::append};
  EXPECT_HAS(error_of<tg::ResourceError>([&] { file.attach(vault, {key}); }), "below 10");
}

// Each bad file, and what the error must say.
struct Bad {
  const char* text;
  std::vector<std::string> says;
};

TEST(JsonLoad, what_cannot_be_loaded_is_refused_with_file_key_and_position_and_the_vault_is_as_it_was) {
  const std::vector<Bad> all = {
      {"", {":1:1: ", "broken JSON"}},
      {"{\n  \"number\": 1,\n  \"text\": \n}", {":4:1: ", "broken JSON"}},
      {"{\"number\": 1} x", {":1:15: ", "broken JSON"}},
      {"[1]", {":1:1: ", "object"}},
      {"{\n  \"number\": 1,\n  \"stranger\": 2\n}", {":3:3: ", "'stranger'", "no such key"}},
      {"{\"number\": 1, \"opaque\": 2}", {":1:15: ", "'opaque'", "not kept"}},
      {"{\n\"flag\": true,\n  \"number\": \"one\"}", {":3:13: ", "'number'", "must be number"}},
      {"{\"number\": 1.5}", {":1:12: ", "'number'", "does not fit"}},
      {"{\"number\": true}", {"'number'", "does not fit"}},
      {"{\"number\": 5000000000}", {"'number'", "does not fit"}},
      {"{\"list\": [1, 2.5]}", {"'list'", "does not fit"}},
      {"{\"real\": true}", {"'real'", "a number is expected"}},
      {"{\"flag\": 1}", {"'flag'", "must be boolean"}},
      {"{\"point\": {\"x\": 1}}", {":1:11: ", "'point'", "'y'"}},
      {"{\"number\": 1, \"number\": 1}", {":1:15: ", "'number'", "twice"}},
      {"{\"number\": 1, \"num\\u0062er\": 1}", {":1:15: ", "'number'", "twice"}},
  };
  const Folder folder;
  const std::string path = folder.file("bad.json");
  for (const Bad& bad : all) {
    SCOPED_TRACE(bad.text);
    put(path, bad.text);
    tg::Vault vault("v", ring);
    vault.insert(ring.text, "mine");
    JsonResource file{path, JsonMode::append};
    const std::string text = error_of<tg::ResourceError>([&] { file.attach(vault, ring); });
    EXPECT_HAS(text, path);
    for (const std::string& part : bad.says) EXPECT_HAS(text, part);
    EXPECT_EQ(vault.size(), 1U);
    EXPECT_EQ(vault.get(ring.text), "mine");
    EXPECT_EQ(contents(path), bad.text);
  }
}

TEST(JsonLoad, deep_nesting_is_refused) {
  const Folder folder;
  put(folder.file("v.json"), "{\"list\": " + std::string(100000, '[') + std::string(100000, ']') + "}");
  tg::Vault vault("v", ring);
  JsonResource file{folder.file("v.json"), JsonMode::read};
  EXPECT_HAS(error_of<tg::ResourceError>([&] { file.attach(vault, ring); }), "nested too deeply");
}

TEST(JsonLoad, unknown_keys_can_be_ignored_and_stay_in_the_file) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  put(path, "{\"stranger\": [1, {\"a\": \"}\"}], \"number\": 1}");
  tg::Vault vault("v", ring);
  JsonResource file{path, JsonMode::append, {.unknown_keys = tg::UnknownKeys::ignore}};
  file.attach(vault, ring);
  EXPECT_EQ(vault.get(ring.number), 1);
  vault.insert(ring.flag, true);
  EXPECT_EQ(nlohmann::json::parse(contents(path)),
            nlohmann::json::parse("{\"stranger\": [1, {\"a\": \"}\"}], \"number\": 1, \"flag\": true}"));
}

TEST(JsonRead, the_file_is_not_written_and_its_keys_cannot_be) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  put(path, "{\"number\": 1}");
  tg::Vault vault("v", ring, {.permit_modification = true});
  JsonResource file{path, JsonMode::read};
  file.attach(vault, {ring.number});
  EXPECT_HAS(error_of<tg::ReadOnlyKeyError>([&] { vault.insert(ring.number, 2); }), path);
  EXPECT_THROW(vault.erase(ring.number), tg::ReadOnlyKeyError);
  vault.insert(ring.flag, true);  // not the file's
  EXPECT_EQ(contents(path), "{\"number\": 1}");
}

TEST(JsonRead, a_missing_file_is_an_error) {
  const Folder folder;
  tg::Vault vault("v", ring);
  JsonResource file{folder.file("none.json"), JsonMode::read};
  EXPECT_HAS(error_of<tg::ResourceError>([&] { file.attach(vault, ring); }), "none.json");
}

TEST(JsonLive, a_replaced_file_wakes_those_who_wait_for_its_keys) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  put(path, "{\"number\": 1}");
  tg::Vault vault("v", ring);
  JsonResource file{path, JsonMode::read_live, {.interval = 1ms}};
  file.attach(vault, ring);
  put(path, "{\"number\": 2, \"text\": \"new\"}");
  EXPECT_EQ(vault.wait_for(ring.text, 50s), tg::KeyWait::present);
  EXPECT_EQ(vault.get(ring.number), 2);
}

TEST(JsonLive, refresh_takes_over_changes_and_removals_in_one_step_and_reruns_automatics) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  put(path, "{\"number\": 1, \"flag\": true}");
  tg::Vault vault("v", ring);
  tg::ThreadGroup group("g");
  int runs = 0;
  vault.automatic(group, tg::inputs(ring.number), tg::outputs(ring.real), [&runs](int i) {
    ++runs;
    return 0.5 * i;
  });
  JsonResource file{path, JsonMode::read_live, {.interval = 1h}};
  file.attach(vault, {ring.number, ring.flag, ring.text});
  EXPECT_FALSE(file.refresh());
  put(path, "{\"number\": 4, \"text\": \"longer\"}");
  EXPECT_TRUE(file.refresh());
  EXPECT_FALSE(vault.contains(ring.flag));
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.get(ring.real), 2.0);
  put(path, "{\"number\": 4, \"text\": \"longest\"}");
  EXPECT_TRUE(file.refresh());
  EXPECT_TRUE(group.join());
  EXPECT_EQ(runs, 2);  // the number did not change this time
}

TEST(JsonLive, a_file_that_breaks_later_changes_nothing_and_is_reported) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  put(path, "{\"number\": 1}");
  tg::Vault vault("v", ring);
  JsonResource file{path, JsonMode::read_live, {.interval = 1h}};
  file.attach(vault, ring);
  put(path, "{\"number\": 2, \"flag\": 3}");
  EXPECT_HAS(error_of<tg::ResourceError>([&] { file.refresh(); }), "'flag'");
  EXPECT_EQ(vault.get(ring.number), 1);
}

// Two automatics of one key, of which the first can never run: its group has gone.
struct HalfGone {
  HalfGone() {
    {
      tg::ThreadGroup gone("gone");
      vault.automatic(gone, tg::inputs(ring.number), tg::outputs(ring.real), [](int i) { return 0.5 * i; });
    }
    vault.automatic(group, tg::inputs(ring.number), [this](int) { ++runs; });
  }
  tg::Vault vault{"v", ring};
  std::atomic<int> runs = 0;
  tg::ThreadGroup group{"g"};
};

TEST(JsonLive,
     a_change_that_cannot_start_a_run_is_taken_over_once_and_the_error_stays_until_the_next_change) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  HalfGone half;
  put(path, "{}");
  JsonResource file{path, JsonMode::read_live, {.interval = 1ms}};
  file.attach(half.vault, ring);
  put(path, "{\"number\": 1}");
  eventually([&] { return tg::test::has(file.last_error(), "group 'gone'"); });
  for (int looks = 0; looks < 20; ++looks) {
    EXPECT_FALSE(file.refresh());
    tg::test::leave_time(1ms);
  }
  EXPECT_HAS(file.last_error(), "group 'gone'");
  EXPECT_TRUE(half.group.join());
  EXPECT_EQ(half.runs, 1);
  EXPECT_EQ(half.vault.get(ring.number), 1);
  put(path, "{\"number\": 1, \"flag\": true}");
  eventually([&] { return file.last_error().empty(); });
  EXPECT_EQ(half.runs, 1);
}

TEST(JsonAppend, an_attach_that_cannot_start_a_run_says_so_and_has_attached_the_file) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  for (const JsonMode mode : {JsonMode::append, JsonMode::read, JsonMode::read_live}) {
    HalfGone half;
    put(path, "{\"number\": 1}");
    JsonResource file{path, mode, {.interval = 1h}};
    EXPECT_HAS(error_of<tg::GroupGoneError>([&] { file.attach(half.vault, {ring.number}); }), "'gone'");
    EXPECT_EQ(half.vault.get(ring.number), 1);
    if (mode == JsonMode::append) {
      half.vault.erase(ring.number);
      EXPECT_EQ(contents(path), "{}\n");
    } else {
      EXPECT_THROW(half.vault.erase(ring.number), tg::ReadOnlyKeyError);
    }
    EXPECT_TRUE(half.group.join());
    EXPECT_EQ(half.runs, 1);
  }
}

TEST(JsonAppend, an_attach_that_cannot_write_the_file_takes_out_of_the_vault_again_what_it_loaded) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  put(path, "{\"number\": 1}");
  tg::Vault vault("v", ring);
  vault.insert(ring.flag, true);
  JsonResource file{path, JsonMode::append};
  {
    const tg::test::Faults faults(
        {.what = tg::test::FaultPlan::What::all_fail, .at = 1, .error = EIO, .only = "rename"});
    EXPECT_THROW(file.attach(vault, ring), tg::ResourceError);
  }
  EXPECT_EQ(vault.size(), 1U);
  EXPECT_NO_THROW(file.attach(vault, ring));
  EXPECT_EQ(vault.get(ring.number), 1);
  EXPECT_EQ(nlohmann::json::parse(contents(path)), (nlohmann::json{{"number", 1}, {"flag", true}}));
}

TEST(JsonJournal, the_next_run_of_the_program_runs_only_what_has_no_outputs) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  const tg::Key<int> in{"in"};
  const tg::Key<int> one{"one"};
  const tg::Key<int> two{"two"};
  const tg::Key<int> three{"three"};
  std::map<std::string, int> runs;
  const auto program = [&](bool fails) {
    tg::Vault vault("v", {in, one, two, three});
    JsonResource file{path, JsonMode::append};
    file.attach(vault, {in, one, two, three});
    tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
    vault.automatic(group, tg::inputs(in), tg::outputs(one), [&](int i) { return ++runs["one"], i + 1; });
    vault.automatic(group, tg::inputs(one), tg::outputs(two), [&](int i) {
      ++runs["two"];
      if (fails) throw std::runtime_error("crash");
      return i + 1;
    });
    vault.automatic(group, tg::inputs(two), tg::outputs(three),
                    [&](int i) { return ++runs["three"], i + 1; });
    if (!vault.contains(in)) vault.insert(in, 0);
    return group.wait_idle().failures.size();
  };
  EXPECT_EQ(program(true), 1U);
  EXPECT_EQ(program(false), 0U);
  EXPECT_EQ(program(false), 0U);
  EXPECT_EQ(runs, (std::map<std::string, int>{{"one", 1}, {"two", 2}, {"three", 1}}));
  EXPECT_EQ(nlohmann::json::parse(contents(path)).at("three"), 3);
}

}  // namespace
}  // namespace resource_test

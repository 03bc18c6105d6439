// SPDX-License-Identifier: Apache-2.0
// Paths, modes, temporary files, and what is refused.
#include "support.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <map>

#include <threadgroup/vault_json.hpp>

namespace durable_file_test {
namespace {

using tg::JsonMode;
using tg::JsonResource;
using tg::test::contents;
using tg::test::error_of;
using tg::test::Folder;
using tg::test::put;
namespace fs = std::filesystem;

const tg::Key<int> number{"number"};

mode_t mode_of(const std::string& path) {
  struct stat s {};
  EXPECT_EQ(::stat(path.c_str(), &s), 0) << path;
  return s.st_mode & 07777;
}

void write_one(const std::string& path, int value) {
  tg::Vault vault("v", {number});
  JsonResource file{path, JsonMode::write};
  file.attach(vault, {number});
  vault.insert(number, value);
}

TEST(DurableFile, a_link_planted_under_a_temporary_name_is_not_written_through) {
  const Folder folder;
  put(folder.file("victim"), "precious");
  fs::create_symlink(folder.file("victim"), folder.file("v.json.tmp"));
  write_one(folder.file("v.json"), 1);
  EXPECT_EQ(contents(folder.file("victim")), "precious");
  EXPECT_FALSE(fs::is_symlink(folder.file("v.json")));
}

TEST(DurableFile, a_file_or_fifo_planted_under_a_temporary_name_lends_no_mode_and_blocks_nothing) {
  const Folder folder;
  put(folder.file("v.json.tmp"), "planted");
  ::chmod(folder.file("v.json.tmp").c_str(), 0666);
  const mode_t mask = ::umask(027);
  write_one(folder.file("v.json"), 1);
  ::umask(mask);
  EXPECT_EQ(mode_of(folder.file("v.json")), 0640U);
  fs::remove(folder.file("v.json.tmp"));
  ASSERT_EQ(::mkfifo(folder.file("v.json.tmp").c_str(), 0666), 0);
  write_one(folder.file("v.json"), 2);
  EXPECT_HAS(contents(folder.file("v.json")), "2");
}

TEST(DurableFile, the_file_keeps_its_mode_but_for_the_bits_that_change_the_user) {
  const Folder folder;
  const std::string path = folder.file("v.json");
  for (const auto& [before, after] : {std::pair{0600, 0600}, {0664, 0664}, {0400, 0400}, {06755, 0755}}) {
    put(path, "{}");
    ASSERT_EQ(::chmod(path.c_str(), static_cast<mode_t>(before)), 0);
    write_one(path, 1);
    EXPECT_EQ(mode_of(path), static_cast<mode_t>(after));
  }
}

// Everything here is in the test's own folder: without the refusal, root would replace what it is pointed at.
TEST(DurableFile, what_is_no_plain_file_is_refused_without_blocking_and_left_alone) {
  const Folder folder;
  std::map<std::string, std::string> says{{"fifo", "a FIFO"}, {"folder", "a folder"}};
  ASSERT_EQ(::mkfifo(folder.file("fifo").c_str(), 0666), 0);
  fs::create_directory(folder.file("folder"));
  constexpr unsigned kNullMajor = 1;
  constexpr unsigned kNullMinor = 3;
  if (::mknod(folder.file("device").c_str(), S_IFCHR | 0666, makedev(kNullMajor, kNullMinor)) == 0) {
    says["device"] = "a device";  // only root may make one
  }
  for (const auto& [name, kind] : says) {
    for (const JsonMode mode : {JsonMode::write, JsonMode::append, JsonMode::read, JsonMode::read_live}) {
      tg::Vault vault("v", {number});
      JsonResource file{folder.file(name), mode};
      EXPECT_HAS(error_of<tg::ResourceError>([&] { file.attach(vault, {number}); }), kind);
    }
  }
  std::set<std::string> left;
  for (const auto& [name, kind] : says) left.insert(name);
  EXPECT_EQ(folder.names(), left);
  EXPECT_TRUE(fs::is_fifo(folder.file("fifo")));
  EXPECT_EQ(fs::is_character_file(folder.file("device")), says.contains("device"));
}

TEST(DurableFile, a_relative_path_means_what_it_meant_when_the_resource_was_made) {
  const Folder folder;
  const fs::path before = fs::current_path();
  fs::create_directory(folder.file("new"));
  fs::current_path(folder.file(""));
  JsonResource file{"new/v.json", JsonMode::write};
  put("new/r.json", "{\"number\": 7}");
  JsonResource reader{"new/r.json", JsonMode::read};
  JsonResource nowhere{"none/v.json", JsonMode::write};
  fs::current_path(before);
  tg::Vault vault("v", {number});
  file.attach(vault, {number});
  vault.insert(number, 1);
  EXPECT_HAS(contents(folder.file("new/v.json")), "1");
  tg::Vault other("o", {number});
  reader.attach(other, {number});
  EXPECT_EQ(other.get(number), 7);
  EXPECT_EQ(nowhere.path(), fs::canonical(folder.file("")).string() + "/none/v.json");
  EXPECT_THROW((JsonResource{"", JsonMode::write}), tg::ResourceError);
}

TEST(DurableFile, a_link_is_followed_once_also_if_its_target_does_not_exist_yet) {
  const Folder folder;
  fs::create_directory(folder.file("data"));
  fs::create_symlink("data/real.json", folder.file("v.json"));
  for (int i = 1; i < 3; ++i) {
    write_one(folder.file("v.json"), i);
    EXPECT_TRUE(fs::is_symlink(folder.file("v.json")));
    EXPECT_HAS(contents(folder.file("data/real.json")), std::to_string(i));
  }
}

TEST(DurableFile, a_file_that_became_a_link_is_refused) {
  const Folder folder;
  put(folder.file("victim"), "precious");
  tg::Vault vault("v", {number});
  JsonResource file{folder.file("v.json"), JsonMode::write};
  file.attach(vault, {number});
  fs::remove(folder.file("v.json"));
  fs::create_symlink("victim", folder.file("v.json"));
  EXPECT_HAS(error_of<tg::ResourceError>([&] { vault.insert(number, 1); }), "a link");
  EXPECT_EQ(contents(folder.file("victim")), "precious");
  fs::remove(folder.file("v.json"));
  file.flush();
  EXPECT_HAS(contents(folder.file("v.json")), "1");
}

// As Kubernetes replaces mounted files: the folder of the version is behind a link, which is exchanged.
TEST(DurableFile, a_followed_file_is_looked_for_through_its_links_each_time) {
  const Folder folder;
  for (const char* version : {"1", "2"}) {
    fs::create_directory(folder.file(version));
    put(folder.file(version) + "/v.json", std::string("{\"number\": ") + version + "}");
  }
  fs::create_symlink("1", folder.file("current"));
  tg::Vault vault("v", {number});
  JsonResource file{folder.file("current/v.json"), JsonMode::read_live, {.interval = std::chrono::hours(1)}};
  file.attach(vault, {number});
  EXPECT_EQ(vault.get(number), 1);
  fs::create_symlink("2", folder.file("next"));
  fs::rename(folder.file("next"), folder.file("current"));
  EXPECT_TRUE(file.refresh());
  EXPECT_EQ(vault.get(number), 2);
}

TEST(DurableFile, what_killed_processes_left_behind_is_removed_by_the_next_and_nothing_else_is) {
  const Folder folder;
  const std::set<std::string> strangers = {"v.json.tmp", "v.json.0123456789ABCDEF.tmp",
                                           "v.json.0123456789abcde.tmp", "w.json.0123456789abcdef.tmp",
                                           "v.json.0123456789abcdef.tmp2"};
  for (const std::string& name : strangers) put(folder.file(name), "");
  put(folder.file("v.json.0123456789abcdef.tmp"), "half");
  put(folder.file("v.json.fedcba9876543210.tmp"), "half");
  write_one(folder.file("v.json"), 1);
  std::set<std::string> left = strangers;
  left.insert("v.json");
  EXPECT_EQ(folder.names(), left);
}

TEST(JsonDocument, a_key_whose_name_is_not_utf8_is_refused_when_the_file_is_attached) {
  const Folder folder;
  const tg::Key<int> odd{"caf\xe9"};
  tg::Vault vault("v", {number, odd});
  for (const JsonMode mode : {JsonMode::write, JsonMode::append}) {
    JsonResource file{folder.file("v.json"), mode};
    const std::string said = error_of<tg::ResourceError>([&] { file.attach(vault, {number, odd}); });
    EXPECT_HAS(said, "key 'caf\\xe9'");
    EXPECT_HAS(said, "not UTF-8");
  }
  EXPECT_TRUE(folder.names().empty());
  vault.insert(odd, 1);  // it lives in the vault
  JsonResource file{folder.file("v.json"), JsonMode::write};
  file.attach(vault, {number});
  EXPECT_EQ(contents(folder.file("v.json")), "{}\n");
}

}  // namespace
}  // namespace durable_file_test

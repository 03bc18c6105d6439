// SPDX-License-Identifier: Apache-2.0
// After whatever failed, the resource is used again, and must work.
#include "sweep/json_programs.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/vault_json.hpp>

#include "support/eventually.hpp"
#include "vault_json/support.hpp"

namespace tg::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

struct FileKeys {
  Key<int> number{"number"};
  Key<std::string> text{"a text"};
  Key<std::vector<int>> list{"list"};
  Key<int> twice{"twice"};
};

constexpr int kTries = 50;  // more than fail in one run

/// Whether it was done. A shortage may prevent it, or the file from being written.
template <class F>
bool attempt(Ledger& ledger, F&& f) {
  try {
    f();
    return true;
  } catch (const ResourceError& e) {
    const Spared spared;
    if (!Faults::has_struck() || !has(e.what(), "out of memory")) ledger.violation(e.what());
  } catch (...) {
    ledger.judge(std::current_exception());
  }
  return false;
}

/// The same, with memory for the calling thread; others may still be struck.
template <class F>
void insist(Ledger& ledger, const char* what, F&& f) {
  const Spared spared;
  for (int i = 0; i < kTries; ++i) {
    if (attempt(ledger, f)) return;
  }
  ledger.violation(std::string("it does not work after the shortage: ") + what);
}

json state_of(const Vault& vault, const FileKeys& keys) {
  json state = json::object();
  if (const auto number = vault.try_get(keys.number)) state["number"] = *number;
  if (const auto text = vault.try_get(keys.text)) state["a text"] = *text;
  if (const auto list = vault.try_get(keys.list)) state["list"] = *list;
  if (const auto twice = vault.try_get(keys.twice)) state["twice"] = *twice;
  return state;
}

void require_kept(Ledger& ledger, const Vault& vault, const FileKeys& keys, const std::string& path) {
  const Spared spared;
  if (json::parse(contents(path)) != state_of(vault, keys))
    ledger.violation("the file is not what the vault is");
}

template <class F>
void in_folder(F&& program) {
  std::optional<Folder> folder;
  std::string path;
  std::exception_ptr error;
  {
    const Spared spared;
    folder.emplace();
    path = folder->file("a_name_that_is_not_short.json");
  }
  try {
    program(*folder, path);
  } catch (...) {
    error = std::current_exception();
  }
  const Spared spared;
  folder.reset();
  if (error) std::rethrow_exception(error);
}

/// Attaches the file, if need be once more with memory. An attach that failed has left nothing in the vault.
void attach(Ledger& ledger, std::optional<JsonResource>& file, const std::string& path, JsonMode mode,
            JsonOptions options, Vault& vault, const FileKeys& keys) {
  const auto open = [&] {
    file.reset();
    file.emplace(path, mode, options);
    file->attach(vault, keys);
  };
  if (attempt(ledger, open)) return;
  insist(ledger, "an insert without a file", [&] {
    if (!vault.empty()) ledger.violation("an attach that failed left values");
    vault.insert(keys.number, 1);
    vault.erase(keys.number);
  });
  insist(ledger, "attach", open);
}

void write_with(Ledger& ledger, JsonSync sync) {
  in_folder([&](const Folder& folder, const std::string& path) {
    const FileKeys keys;
    const JsonOptions options{.sync = sync, .interval = 1ms};
    {
      Vault vault("written", keys, {.permit_modification = true});
      std::optional<JsonResource> file;
      attach(ledger, file, path, JsonMode::append, options, vault, keys);
      const auto step = [&](auto&& change) {
        if (attempt(ledger, change) && sync == JsonSync::every_change)
          require_kept(ledger, vault, keys, path);
      };
      step([&] { vault.insert(keys.number, 1); });
      ThreadGroup group("writers");
      {
        const Settled settled(ledger, group);
        // In a task the work on the file is done on another thread.
        attempt(ledger, [&] {
          ledger
              .add(group,
                   [&] {
                     attempt(ledger, [&] {
                       vault.insert_all(entry(keys.text, std::string(100, 'x')),
                                        entry(keys.list, std::vector{1, 2}));
                     });
                   })
              .get();
        });
      }
      step([&] { vault.erase(keys.text); });
      if (attempt(ledger, [&] { file->flush(); })) require_kept(ledger, vault, keys, path);
      insist(ledger, "insert", [&] { vault.insert(keys.number, 2); });
      insist(ledger, "flush", [&] { file->flush(); });
      require_kept(ledger, vault, keys, path);
      attempt(ledger, [&] { vault.insert(keys.list, std::vector{3}); });
      const Spared spared;
      file.reset();
      require_kept(ledger, vault, keys, path);
    }
    const Spared spared;
    if (folder.names().size() != 1) ledger.violation("files were left");
    Vault vault("read", keys);
    std::optional<JsonResource> file;
    attach(ledger, file, path, JsonMode::append, options, vault, keys);
    if (vault.get(keys.number) != 2) ledger.violation("a wrong number was loaded");
  });
}

}  // namespace

void file_written(Ledger& ledger) { write_with(ledger, JsonSync::every_change); }
void file_batched(Ledger& ledger) { write_with(ledger, JsonSync::batched); }

void file_followed(Ledger& ledger) {
  in_folder([&](const Folder&, const std::string& path) {
    const FileKeys keys;
    const auto replace = [&](int number, const char* more) {
      const Spared spared;
      put(path, "{\"number\": " + std::to_string(number) + more + "}");
    };
    replace(1, ", \"list\": [1, 2, 3]");
    Vault vault("follows", keys);
    std::optional<JsonResource> file;
    attach(ledger, file, path, JsonMode::read_live, {.interval = 1ms}, vault, keys);
    replace(2, ", \"a text\": \"a text that is too long to be stored in place\"");
    attempt(ledger, [&] { static_cast<void>(file->refresh()); });
    const Spared spared;
    if (vault.wait_for(keys.text) != KeyWait::present) ledger.violation("the change was not taken over");
    eventually([&] { return file->last_error().empty(); });
    if (vault.contains(keys.list)) ledger.violation("a half change was taken over");
    if (vault.get(keys.number) != 2) ledger.violation("a wrong number was taken over");
    file.reset();
    vault.erase(keys.number);  // it is no longer the file's
  });
}

}  // namespace tg::test

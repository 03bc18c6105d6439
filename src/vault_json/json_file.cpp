// SPDX-License-Identifier: Apache-2.0
// Loading, writing and following a vault's file.
#include "json_file.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <system_error>

#include <threadgroup/event/reason.hpp>

namespace tg::detail {

JsonFile::JsonFile(std::string path, JsonOptions options, std::shared_ptr<VaultCore> core,
                   const JsonKeys& keys)
    : path_(std::move(path)),
      options_(options),
      core_(core.get()),
      schema_(*core, keys),
      owner_(std::move(core)) {}

// --- Loading and following
// -----------------------------------------------------------------------------------------

// Puts into the vault what differs from what the file gave last time, in one step.
bool JsonFile::take_over(const std::string& text, bool first) {
  Document document = read_document(text, path_, *core_, schema_, options_.unknown_keys);
  std::map<std::size_t, std::string> now;
  std::vector<Change> changes;
  for (Change& change : document.values) {
    const std::string& raw = now[change.slot] = *change.encoded;
    const auto before = read_.find(change.slot);
    if (before == read_.end() || before->second != raw) changes.push_back(std::move(change));
  }
  for (const auto& [slot, raw] : read_) {
    if (now.find(slot) == now.end()) changes.push_back({slot, {}, {}});
  }
  if (!changes.empty()) core_->commit(changes, {!first, kNobody, true});
  read_ = std::move(now);
  ignored_ = std::move(document.ignored);
  return !changes.empty();
}

bool JsonFile::load() {
  const Turn turn(turns_);
  stamp_ = stamp_of(path_);  // before the reading: a replacement meanwhile is seen as another change
  std::optional<std::string> text;
  try {
    text = read_file(path_);
  } catch (const std::system_error& e) {
    throw ResourceError("", e.what());
  }
  if (!text) return false;
  take_over(*text, true);
  return true;
}

void JsonFile::follow(bool live) {
  core_->set_source(schema_.slots, path_);
  following_ = true;
  if (live)
    background_ =
        std::make_unique<Background>(options_.interval, [this] { in_background(&JsonFile::refresh); });
}

bool JsonFile::refresh() {
  const Turn turn(turns_);
  if (!following_) return false;
  const FileStamp now = stamp_of(path_);
  if (now == stamp_) return false;
  std::optional<std::string> text;
  try {
    text = read_file(path_);
  } catch (const std::system_error& e) {
    throw ResourceError("", e.what());
  }
  if (!text) throw ResourceError("", "there is no file " + path_ + " any more");
  const bool changed = take_over(*text, false);
  stamp_ = now;
  return changed;
}

// --- Writing
// -------------------------------------------------------------------------------------------------------

EncodedValue JsonFile::encode(std::size_t slot, const ValueRef& value) {
  if (schema_.codecs[slot].encode == nullptr) return nullptr;
  std::string problem;
  try {
    return std::make_shared<const std::string>(schema_.codecs[slot].encode(value));
  } catch (...) {
    problem = describe_exception(std::current_exception());
  }
  const std::string& key = core_->info(slot).name;
  throw ValueRejectedError(key,
                           "key '" + key + "': the value cannot be written to " + path_ + ": " + problem);
}

void JsonFile::persist(std::uint64_t revision) {
  if (options_.sync == JsonSync::every_change) write_up_to(revision);
}

void JsonFile::write_up_to(std::uint64_t revision) {
  const auto done = [this, revision] {
    MutexLock lock(mutex_);
    return durable_ >= revision;
  };
  if (done()) return;
  const Turn turn(turns_);
  if (done()) return;  // somebody before us has written our change, too
  const EncodedVault vault = core_->encoded();
  try {
    replace_file(path_, write_document(vault, ignored_));
  } catch (const std::system_error& e) {
    throw ResourceError("", std::string(e.what()) + "; the vault holds values that are not in the file");
  }
  MutexLock lock(mutex_);
  durable_ = std::max(durable_, vault.revision);
}

void JsonFile::start_writing(bool now) {
  writing_ = true;
  const std::shared_ptr<VaultCore> core = owner_;
  core->attach(shared_from_this());
  if (now) flush();
  if (options_.sync == JsonSync::batched) {
    background_ =
        std::make_unique<Background>(options_.interval, [this] { in_background(&JsonFile::flush_quietly); });
  }
}

void JsonFile::flush() {
  // The revision 0 is that of a vault in which nothing happened; its file must be written once, too.
  const std::uint64_t revision = core_->revision();
  if (writing_) write_up_to(revision == 0 ? 1 : revision);
}

bool JsonFile::flush_quietly() {
  bool behind = false;
  {
    const std::uint64_t revision = core_->revision();
    MutexLock lock(mutex_);
    behind = durable_ < revision;
  }
  if (behind) flush();
  return behind;
}

// --- In the background
// ---------------------------------------------------------------------------------------------

void JsonFile::set_error(std::string error) {
  MutexLock lock(mutex_);
  error_.swap(error);
}

std::string JsonFile::last_error() const {
  MutexLock lock(mutex_);
  return error_;
}

void JsonFile::in_background(bool (JsonFile::*what)()) noexcept try {
  (this->*what)();
  set_error({});
} catch (...) {
  set_error(describe_exception(std::current_exception()));
}

void JsonFile::stop() noexcept {
  background_.reset();
  const std::shared_ptr<VaultCore> core = std::move(owner_);
  if (core == nullptr) return;
  if (writing_) {
    try {
      flush_quietly();
    } catch (...) {
      std::fprintf(stderr, "threadgroup: %s\n", describe_exception(std::current_exception()).c_str());
    }
    core->detach(*this);
  }
  if (following_) core->set_source(schema_.slots, {});
}

}  // namespace tg::detail

// SPDX-License-Identifier: Apache-2.0
// Loading, writing and following a vault's file.
#include "vault_json/json_file.hpp"

#include <algorithm>
#include <new>
#include <optional>

#include <threadgroup/detail/current_failure.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/reason.hpp>

#include "base/report.hpp"
#include "runtime/engine.hpp"
#include "runtime/fork.hpp"
#include "vault_json/aside.hpp"

namespace tg::inline v0::detail {

namespace {
constexpr const char* kNoMemory = "out of memory";  // short enough for a string to need none
}

namespace {
std::string refused_in_simulation(std::string path) {
  runtime::refuse_real_io("tg::JsonResource " + path);
  return path;
}
}  // namespace

JsonFile::JsonFile(std::string path, JsonOptions options, std::shared_ptr<VaultCore> core,
                   const JsonKeys& keys)
    : path_(refused_in_simulation(std::move(path))),
      options_(options),
      core_(core.get()),
      schema_(*core, keys),
      fork_generation_(runtime::fork_generation()),
      owner_(std::move(core)),
      disk_(path_) {}

void JsonFile::require_own_process() const {
  if (fork_generation_ == runtime::fork_generation()) return;
  throw ForkedError("tg::JsonResource: " + path_ +
                    " belongs to the process that this one was forked from; attach a resource made here");
}

// --- Beginning and end

std::exception_ptr JsonFile::start_writing(bool load) {
  struct Opened {
    std::unique_ptr<FileLock> lock;
    std::optional<FileContents> contents;
  };
  const auto open = [path = path_, load] {
    DurableFile file(path);
    file.require_plain();
    Opened opened{std::make_unique<FileLock>(path), {}};
    file.remove_leftovers();
    if (load) opened.contents = read_file(path);
    return opened;
  };
  std::optional<Opened> opened = run_aside(open, options_.stop_grace);
  if (!opened) throw_interrupted("opening", path_);
  lock_ = std::move(opened->lock);
  TakenOver taken;
  if (opened->contents) taken = take_over(opened->contents->text, true);
  owner_->attach(shared_from_this());
  try {
    write(core_->revision(), Reached::written);
    if (options_.sync == JsonSync::batched) run_in_background(&JsonFile::write_what_is_new);
  } catch (...) {
    owner_->detach(*this);
    throw;
  }
  writing_ = true;
  loaded_.clear();
  return taken.late;
}

std::exception_ptr JsonFile::start_reading(bool live) {
  const auto read = [path = path_] { return read_file(path); };
  const auto contents = run_aside(read, options_.stop_grace);
  if (!contents) throw_interrupted("reading", path_);
  if (!*contents) throw ResourceError("", "there is no file " + path_);
  TakenOver taken = take_over((*contents)->text, true);
  {
    MutexLock lock(mutex_);
    stamp_ = (*contents)->stamp;
  }
  following_ = true;  // from here on `stop` lifts what `set_source` did, also a part of it
  core_->set_source(schema_.slots, path_);
  if (live) run_in_background(&JsonFile::refresh);
  loaded_.clear();
  return taken.late;
}

void JsonFile::stop() noexcept {
  const std::shared_ptr<VaultCore> core = std::move(owner_);
  if (fork_generation_ != runtime::fork_generation()) {
    // The file, its lock and our own lock are the parent's; the vault is the child's, and its lock is free.
    core->detach(*this);
    if (following_) core->set_source(schema_.slots, {});
    return;
  }
  background_.reset();
  if (writing_) {
    try {
      write(core->revision(), Reached::synced);
    } catch (...) {
      report_line({describe_if_possible(std::current_exception())});
    }
    core->detach(*this);
  }
  release_lock();
  if (following_) {
    const Turn turn(turns_);  // what is read from now on is not taken over any more (J3)
    core->set_source(schema_.slots, {});
  }
  if (!loaded_.empty()) take_back();
}

// A lock under an attempt that did not end stays until it has ended: it may yet replace the file.
void JsonFile::release_lock() noexcept {
  {
    MutexLock lock(mutex_);
    closed_ = true;
    if (begun_ != ended_) return;
  }
  if (lock_ == nullptr) return;
  try {
    static_cast<void>(
        run_aside([lock = std::move(lock_)]() mutable { return lock.reset(), true; }, options_.stop_grace));
  } catch (...) {
    // No memory for the work: the lock was released with the lambda.
  }
}

// --- Loading and following

// Puts into the vault what differs from what the file gave last time, in one step. Once the step is made the
// file counts as taken over, whatever goes wrong then: else each look would make the same step again.
JsonFile::TakenOver JsonFile::take_over(const std::string& text, bool first) {
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
  TakenOver taken{!changes.empty(), {}};
  std::vector<Change> loaded;
  if (first) loaded = changes;
  bool stored = false;
  try {
    if (taken.changed)
      core_->commit(changes, {.permit_modification = !first, .from_resource = true, .stored = &stored});
  } catch (...) {
    if (!stored) throw;
    taken.late = std::current_exception();
  }
  if (first) loaded_ = std::move(loaded);
  read_ = std::move(now);
  ignored_ = std::move(document.ignored);
  return taken;
}

// What an attach has loaded that failed later, so that the next one does not find it in its way. What has
// been replaced meanwhile stays. Needs no memory, which may be what the attach failed for.
void JsonFile::take_back() noexcept try {
  std::erase_if(loaded_, [this](const Change& change) {
    return core_->value(change.slot).get() != change.value.get();
  });
  for (Change& change : loaded_) change = {change.slot, {}, {}};
  core_->commit(loaded_, {.from_resource = true});
  loaded_.clear();
} catch (...) {
  report_line({path_, " was not attached, but what was loaded from it stays in the vault: ",
               describe_if_possible(std::current_exception())});
}

bool JsonFile::refresh() {
  require_own_process();
  if (!following_) return false;
  FileStamp known;
  std::uint64_t number = 0;
  {
    MutexLock lock(mutex_);
    known = stamp_;
    number = ++readings_;
  }
  const auto read = [path = path_, known] { return read_file_unless(known, path); };
  const auto contents = run_aside(read, options_.stop_grace);
  if (!contents) throw_interrupted("reading", path_);
  if (!*contents) throw ResourceError("", "there is no file " + path_ + " any more");
  if ((*contents)->stamp == known) return false;
  const Turn turn(turns_);
  {
    MutexLock lock(mutex_);
    if (closed_ || number < taken_over_) return false;  // a later reading was quicker
  }
  const TakenOver taken = take_over((*contents)->text, false);
  std::string late;
  if (taken.late) late = describe_if_possible(taken.late);
  {
    MutexLock lock(mutex_);
    stamp_ = (*contents)->stamp;
    taken_over_ = number;
    late_error_.swap(late);
  }
  if (taken.late) std::rethrow_exception(taken.late);
  return taken.changed;
}

// --- Writing

EncodedValue JsonFile::encode(std::size_t slot, const ValueRef& value) {
  require_own_process();
  if (!value || schema_.codecs[slot].encode == nullptr) return nullptr;
  std::string problem;
  try {
    return std::make_shared<const std::string>(schema_.codecs[slot].encode(value));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    problem = describe_exception(std::current_exception());
  }
  const std::string& key = core_->info(slot).name;
  throw ValueRejectedError(key,
                           "key '" + key + "': the value cannot be written to " + path_ + ": " + problem);
}

void JsonFile::persist(std::uint64_t revision) {
  require_own_process();
  if (options_.sync == JsonSync::every_change) write(revision, Reached::written);
}

void JsonFile::flush() {
  require_own_process();
  if (writing_) write(core_->revision(), Reached::synced);
}

// J1
void JsonFile::write(std::uint64_t revision, Reached wanted) {
  std::optional<std::uint64_t> enough;  // the first attempt that sees our change for sure
  for (;;) {
    std::uint64_t ended = 0;
    bool is_ours = false;
    std::string failure;
    {
      MutexLock lock(mutex_);
      if ((wanted == Reached::written ? written_ : synced_) > revision) return;
      if (!enough) enough = begun_ + 1;
      ended = ended_;
      if (ended_ >= *enough) {
        failure = error_;
      } else if (closed_) {
        failure = path_ + " is closed";
      } else if (begun_ == ended_) {
        ++begun_;
        is_ours = true;
      }
    }
    if (!failure.empty()) throw ResourceError("", failure);
    if (is_ours) {
      attempt();
      continue;
    }
    const auto has_ended = [this, ended] {
      MutexLock lock(mutex_);
      return ended_ != ended;
    };
    if (!wait_with_grace(attempt_waiters_, has_ended, options_.stop_grace))
      throw_interrupted("writing", path_);
  }
}

void JsonFile::attempt() {
  bool done = false;
  try {
    const EncodedVault vault = core_->encoded();
    done = run_aside([self = shared_from_this(), text = write_document(vault, ignored_),
                      revision = vault.revision] { return self->perform(text, revision), true; },
                     options_.stop_grace)
               .has_value();
  } catch (...) {  // before anything was written
    end_attempt(0, Reached::nothing, kNoMemory);
    throw;
  }
  if (!done) throw_interrupted("writing", path_);
}

void JsonFile::perform(const std::string& text, std::uint64_t revision) noexcept {
  Reached reached = Reached::nothing;
  std::string error;
  try {
    try {
      error = disk_.replace(text);
      reached = error.empty() ? Reached::synced : Reached::written;
      if (!error.empty())
        error += "; " + path_ + " is written, but a loss of power may bring the old one back";
    } catch (const ResourceError& e) {
      error = std::string(e.what()) + "; the vault holds values that are not in the file";
    }
  } catch (...) {
    error = kNoMemory;
  }
  end_attempt(revision, reached, std::move(error));
}

void JsonFile::end_attempt(std::uint64_t revision, Reached reached, std::string error) noexcept {
  {
    MutexLock lock(mutex_);
    ++ended_;
    if (reached != Reached::nothing) written_ = std::max(written_, revision + 1);
    if (reached == Reached::synced) synced_ = written_;
    error_ = std::move(error);
  }
  attempt_waiters_.release_all();
}

bool JsonFile::write_what_is_new() {
  const std::uint64_t revision = core_->revision();
  write(revision, Reached::written);
  return true;
}

// --- In the background

void JsonFile::run_in_background(bool (JsonFile::*what)()) {
  // It owns what it uses: it may be left behind while a disk does not answer.
  background_ = std::make_unique<Background>(
      options_.interval, options_.stop_grace,
      [self = shared_from_this(), core = owner_, what] { self->in_background(what); });
}

// What goes wrong with a write is set by the attempt that ends, and may be repaired by the time we are here.
void JsonFile::in_background(bool (JsonFile::*what)()) noexcept {
  std::string error;
  try {
    (this->*what)();
    if (!following_) return;
    MutexLock lock(mutex_);
    error = late_error_;
  } catch (...) {
    if (!following_) return;
    error = describe_if_possible(std::current_exception());
  }
  MutexLock lock(mutex_);
  error_.swap(error);
}

std::string JsonFile::last_error() const {
  require_own_process();
  MutexLock lock(mutex_);
  return error_;
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// The file behind a resource: writing it after changes, and following it.
//
// Invariants
//   J1. Attempts to write follow each other: one begins only when `begun_ == ended_`, and ends exactly once.
//       An attempt writes what the vault holds after the attempt has begun. So the end of an attempt is the
//       answer for each caller whose change was made before it began, and so is the success of an earlier
//       attempt that saw the change.
//   J2. No lock is held and no turn is taken while a file is touched. A file that does not answer holds up
//       only an attempt.
//   J3. After `closed_` no attempt begins and nothing that was read is taken over.
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/vault/core.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/vault_json.hpp>

#include "vault_json/background.hpp"
#include "vault_json/document.hpp"
#include "vault_json/durable_file.hpp"
#include "vault_json/file_lock.hpp"
#include "vault_json/turns.hpp"

namespace tg::inline v0::detail {

/// One file and one vault.
///
/// Writers of several changes share the work: an attempt writes all that is in the vault when it begins, and
/// callers that waited meanwhile find their change in the file.
///
/// Thread safety: everything from any thread, but for `start_...` and `stop`, which come before and after all
/// else.
/// Lifetime: shared by the resource, the vault and work on the file that is still under way. In a forked
/// child `stop` only detaches it from the vault; all else throws `ForkedError`.
class JsonFile final : public VaultSink, public std::enable_shared_from_this<JsonFile> {
 public:
  JsonFile(std::string path, JsonOptions options, std::shared_ptr<VaultCore> core, const JsonKeys& keys);

  /// Takes the file for this process, loads what is there if that is wanted, and keeps the vault in it. If
  /// it throws, `stop` takes out of the vault again what was loaded. The result is what went wrong after the
  /// values were in the vault, and leaves the file attached: a run that could not be started.
  [[nodiscard]] std::exception_ptr start_writing(bool load);
  [[nodiscard]] std::exception_ptr start_reading(bool live);
  void stop() noexcept;

  /// Throws `ForkedError` in a forked child.
  void require_own_process() const;
  void flush();
  bool refresh();
  std::string last_error() const;

  EncodedValue encode(std::size_t slot, const ValueRef& value) override;
  void persist(std::uint64_t revision) override;

 private:
  enum class Reached { nothing, written, synced };
  struct TakenOver {
    bool changed = false;
    std::exception_ptr late;  // thrown after the step was made
  };

  TakenOver take_over(const std::string& text, bool first);
  void take_back() noexcept;

  void write(std::uint64_t revision, Reached wanted);
  void attempt();
  void perform(const std::string& text, std::uint64_t revision) noexcept;
  void end_attempt(std::uint64_t revision, Reached reached, std::string error) noexcept;
  bool write_what_is_new();
  void release_lock() noexcept;

  void run_in_background(bool (JsonFile::*what)());
  void in_background(bool (JsonFile::*what)()) noexcept;

  // Constant after construction.
  const std::string path_;
  const JsonOptions options_;
  VaultCore* const core_;  // outlives us while it calls us
  const JsonSchema schema_;
  const std::uint32_t fork_generation_;

  // Constant between `start_...` and `stop`.
  std::shared_ptr<VaultCore> owner_;
  std::vector<std::pair<std::string, std::string>> ignored_;
  bool writing_ = false;
  bool following_ = false;
  std::vector<Change> loaded_;  // until `start_...` has come to its end
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Background> background_;

  DurableFile disk_;  // touched by the attempt that is under way (J1)

  Turns turns_;  // at taking over what was read
  // What was last read from the file, by slot; used by the flow that has the turn.
  std::map<std::size_t, std::string> read_;

  mutable Mutex mutex_;
  std::uint64_t begun_ TG_GUARDED_BY(mutex_) = 0;    // attempts
  std::uint64_t ended_ TG_GUARDED_BY(mutex_) = 0;    // likewise
  std::uint64_t written_ TG_GUARDED_BY(mutex_) = 0;  // revisions below this one are in the file
  std::uint64_t synced_ TG_GUARDED_BY(mutex_) = 0;   // and survive a loss of power
  std::string error_ TG_GUARDED_BY(mutex_);  // of the last attempt, or of the last look at a followed file
  std::string late_error_ TG_GUARDED_BY(mutex_);  // of the step that was taken over last, after it was made
  bool closed_ TG_GUARDED_BY(mutex_) = false;
  FileStamp stamp_ TG_GUARDED_BY(mutex_);               // of what was taken over last
  std::uint64_t readings_ TG_GUARDED_BY(mutex_) = 0;    // begun
  std::uint64_t taken_over_ TG_GUARDED_BY(mutex_) = 0;  // the number of the reading that was taken over last
  WaitQueue attempt_waiters_;                           // for the end of an attempt
};

}  // namespace tg::inline v0::detail

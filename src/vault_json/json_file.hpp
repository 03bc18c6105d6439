// SPDX-License-Identifier: Apache-2.0
// The file behind a resource: writing it after changes, and following it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/base/mutex.hpp>
#include <threadgroup/vault/core.hpp>
#include <threadgroup/vault_json/resource.hpp>

#include "background.hpp"
#include "durable_file.hpp"

namespace tg::detail {

/// One file and one vault.
///
/// Writers of several changes share the work: whoever has the turn writes all that is in the vault by then,
/// and the others find their change on the disk when their turn comes.
class JsonFile final : public VaultSink, public std::enable_shared_from_this<JsonFile> {
 public:
  JsonFile(std::string path, JsonOptions options, std::shared_ptr<VaultCore> core, const JsonKeys& keys);

  /// Loads what is there. True if there was a file.
  bool load();
  void start_writing(bool now);
  void follow(bool live);
  void stop() noexcept;

  void flush();
  bool refresh();
  bool is_writing() const noexcept { return writing_; }
  std::string last_error() const;

  EncodedValue encode(std::size_t slot, const ValueRef& value) override;
  void persist(std::uint64_t revision) override;

 private:
  void write_up_to(std::uint64_t revision);
  bool take_over(const std::string& text, bool first);
  void in_background(bool (JsonFile::*what)()) noexcept;
  bool flush_quietly();
  void set_error(std::string error);

  // Constant after construction.
  const std::string path_;
  const JsonOptions options_;
  VaultCore* const core_;  // outlives us while it calls us
  const JsonSchema schema_;

  // Constant once attached.
  std::shared_ptr<VaultCore> owner_;  // until `stop`
  std::vector<std::pair<std::string, std::string>> ignored_;
  bool writing_ = false;
  bool following_ = false;
  std::unique_ptr<Background> background_;

  Turns turns_;
  // Touched only by whoever has the turn.
  FileStamp stamp_;
  std::map<std::size_t, std::string> read_;  // what the file gave last, by slot

  mutable Mutex mutex_;
  std::uint64_t durable_ TG_GUARDED_BY(mutex_) = 0;
  std::string error_ TG_GUARDED_BY(mutex_);
};

}  // namespace tg::detail

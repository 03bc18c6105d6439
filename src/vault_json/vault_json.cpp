// SPDX-License-Identifier: Apache-2.0
// The face of a vault's file.
#include <threadgroup/vault_json.hpp>

#include <exception>
#include <stdexcept>
#include <utility>

#include "vault_json/aside.hpp"
#include "vault_json/json_file.hpp"

namespace tg {
inline namespace v0 {

namespace {

bool reads(JsonMode mode) { return mode == JsonMode::read || mode == JsonMode::read_live; }

JsonOptions checked(const JsonOptions& options) {
  if (options.interval <= Duration())
    throw std::invalid_argument("tg::JsonOptions: the interval must be above zero");
  if (options.stop_grace < Duration())
    throw std::invalid_argument("tg::JsonOptions: the grace must not be below zero");
  return options;
}

std::string located(const std::string& path, JsonMode mode, Duration grace) {
  if (reads(mode)) return detail::absolute_path(path);
  std::optional<std::string> resolved =
      detail::run_aside([path] { return detail::resolved_path(path); }, grace);
  if (!resolved) detail::throw_interrupted("finding", path);
  return *std::move(resolved);
}

}  // namespace

JsonResource::JsonResource(const std::filesystem::path& path, JsonMode mode, JsonOptions options)
    : options_(checked(options)), mode_(mode), path_(located(path.string(), mode, options.stop_grace)) {}

JsonResource::~JsonResource() {
  if (file_ != nullptr) file_->stop();
}

void JsonResource::attach(Vault& vault, const JsonKeys& keys) {
  if (file_ != nullptr) {
    file_->require_own_process();
    throw std::logic_error("tg::JsonResource: " + path_ + " is attached already");
  }
  auto file = std::make_shared<detail::JsonFile>(path_, options_, vault.core(), keys);
  std::exception_ptr late;
  try {
    late = reads(mode_) ? file->start_reading(mode_ == JsonMode::read_live)
                        : file->start_writing(mode_ == JsonMode::append);
  } catch (...) {
    file->stop();
    throw;
  }
  file_ = std::move(file);
  if (late) std::rethrow_exception(late);
}

void JsonResource::flush() {
  if (file_ != nullptr) file_->flush();
}
bool JsonResource::refresh() { return file_ != nullptr && file_->refresh(); }
std::string JsonResource::last_error() const {
  return file_ != nullptr ? file_->last_error() : std::string();
}

}  // namespace v0
}  // namespace tg

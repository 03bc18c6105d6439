// SPDX-License-Identifier: Apache-2.0
// The face of a vault's file.
#include <stdexcept>
#include <utility>

#include <threadgroup/vault_json/resource.hpp>

#include "json_file.hpp"

namespace tg {

namespace {
// A link is followed once, so that what gets replaced is the file and not the link.
std::string resolved(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  return error ? path.string() : real.string();
}
}  // namespace

JsonResource::JsonResource(const std::filesystem::path& path, JsonMode mode, JsonOptions options)
    : path_(resolved(path)), mode_(mode), options_(options) {
  if (options_.interval <= Duration())
    throw std::invalid_argument("tg::JsonOptions: the interval must be above zero");
}

JsonResource::~JsonResource() {
  if (file_ != nullptr) file_->stop();
}

void JsonResource::attach(Vault& vault, const JsonKeys& keys) {
  if (file_ != nullptr) throw std::logic_error("tg::JsonResource: " + path_ + " is attached already");
  auto file = std::make_shared<detail::JsonFile>(path_, options_, vault.core(), keys);
  try {
    const bool reads = mode_ == JsonMode::read || mode_ == JsonMode::read_live;
    const bool found = mode_ != JsonMode::write && file->load();
    if (reads && !found) throw ResourceError("", "there is no file " + path_);
    if (reads) {
      file->follow(mode_ == JsonMode::read_live);
    } else {
      file->start_writing(true);
    }
  } catch (...) {
    file->stop();
    throw;
  }
  file_ = std::move(file);
}

void JsonResource::flush() {
  if (file_ != nullptr) file_->flush();
}
bool JsonResource::refresh() { return file_ != nullptr && file_->refresh(); }
std::string JsonResource::last_error() const {
  return file_ != nullptr ? file_->last_error() : std::string();
}

}  // namespace tg

// SPDX-License-Identifier: Apache-2.0
// Encoded values, beside the values.
#include "vault/persistence.hpp"

#include <utility>

#include <threadgroup/vault_types.hpp>

namespace tg::inline v0::detail {

void Persistence::encode(std::span<Change> changes, VaultSink* sink) {
  for (Change& change : changes) {
    change.encoded = nullptr;
    if (sink != nullptr) change.encoded = sink->encode(change.slot, change.value);
  }
}

std::vector<EncodedValue> Persistence::encode_all(const std::vector<ValueRef>& values, VaultSink& sink) {
  std::vector<EncodedValue> encoded(values.size());
  for (std::size_t slot = 0; slot < values.size(); ++slot) {
    if (values[slot]) encoded[slot] = sink.encode(slot, values[slot]);
  }
  return encoded;
}

void Persistence::require_none(const ValueStore& store) const {
  if (sink_ == nullptr) return;
  throw VaultError(
      "", "vault '" + store.vault_name() + "' is kept in a file already, and can be kept in one only");
}

void Persistence::attach(std::shared_ptr<VaultSink> sink, std::vector<EncodedValue>& encoded) noexcept {
  encoded_.swap(encoded);
  sink_ = std::move(sink);
}

std::shared_ptr<VaultSink> Persistence::detach(const VaultSink& sink) noexcept {
  if (sink_.get() != &sink) return nullptr;
  for (EncodedValue& encoded : encoded_) encoded = nullptr;
  return std::exchange(sink_, nullptr);
}

EncodedVault Persistence::all(const ValueStore& store) const {
  EncodedVault all;
  all.revision = store.revision_locked();
  for (std::size_t slot = 0; slot < encoded_.size(); ++slot) {
    if (encoded_[slot] != nullptr) all.values.emplace_back(store.key_name(slot), encoded_[slot]);
  }
  return all;
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Where the values of a vault are kept besides.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <threadgroup/detail/vault/sink.hpp>
#include <threadgroup/detail/vault/store.hpp>

namespace tg::inline v0::detail {

/// The sink of a vault, and each value in the sink's form.
///
/// A step is encoded before it is made, without the lock; the encoded values change together with the values,
/// under it; and the sink gets the revision afterwards. So what the sink asks for is always the vault
/// of one moment, whatever the order in which the calls of several steps come to it.
///
/// Thread safety: the vault's lock, which is the store's, guards everything; static functions call the sink
/// and come without it.
class Persistence {
 public:
  explicit Persistence(std::size_t slots) : encoded_(slots) {}

  const std::shared_ptr<VaultSink>& sink() const noexcept { return sink_; }

  /// Gives each change the form that the sink wants; none without a sink. May run the user's code, and throw.
  static void encode(std::span<Change> changes, VaultSink* sink);
  /// The change is made.
  void keep(Change& change) noexcept {
    if (sink_ != nullptr) encoded_[change.slot].swap(change.encoded);
  }

  /// All of these values in the sink's form.
  static std::vector<EncodedValue> encode_all(const std::vector<ValueRef>& values, VaultSink& sink);
  /// Throws `VaultError` if there is a sink.
  void require_none(const ValueStore& store) const;
  void attach(std::shared_ptr<VaultSink> sink, std::vector<EncodedValue>& encoded) noexcept;
  /// The sink, if it was this one; it is to be released without the lock.
  std::shared_ptr<VaultSink> detach(const VaultSink& sink) noexcept;
  EncodedVault all(const ValueStore& store) const TG_REQUIRES(store.mutex());

 private:
  std::shared_ptr<VaultSink> sink_;
  std::vector<EncodedValue> encoded_;  // by slot
};

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Keyrings, which are structs of keys, and lists of keys.
#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <type_traits>
#include <vector>

#include <threadgroup/detail/vault/keyring.hpp>
#include <threadgroup/vault_key.hpp>

namespace tg {
inline namespace v0 {

/// A struct of keys: an aggregate with 1 to 24 members, all of them keys, or a class with a static `keys()`
/// that returns its keys as a tuple. Use the second form for more keys, or for keys that are static members.
template <class Ring>
concept KeyringType =
    std::is_class_v<Ring> && !detail::kIsKey<Ring> &&
    (detail::NamesItsKeys<Ring> || (std::is_aggregate_v<Ring> && detail::kFields<Ring> > 0));

/// The keys of a vault.
///
///     tg::Vault a("a", {user, age});                          // two keys
///     tg::Vault b("b", keyring);                              // the keys of a keyring
///     tg::Vault c("c", tg::keys(keyring, other_keyring, age));  // joined
class KeyList {
 public:
  KeyList() = default;  ///< no keys
  /// A list of keys.
  KeyList(std::initializer_list<AnyKey> keys) {
    for (const AnyKey& key : keys) add(key);
  }
  /// The keys of a keyring. Implicit, so that a keyring can be passed.
  template <KeyringType Ring>
  requires(!std::same_as<Ring, KeyList>) KeyList(const Ring& ring) { add(ring); }

  /// Adds a key.
  void add(const AnyKey& key) { infos_.push_back(key.info()); }
  /// Adds the keys of another list.
  void add(const KeyList& others) { infos_.insert(infos_.end(), others.infos_.begin(), others.infos_.end()); }
  /// Adds the keys of a keyring.
  template <KeyringType Ring>
  requires(!std::same_as<Ring, KeyList>) void add(const Ring& ring) {
    detail::for_each_key(ring, [this](const auto& key) { add(AnyKey(key)); });
  }

  /// For the library.
  const std::vector<std::shared_ptr<const detail::KeyInfo>>& infos() const noexcept { return infos_; }

 private:
  std::vector<std::shared_ptr<const detail::KeyInfo>> infos_;
};

/// Joins keys, keyrings and lists of keys to one list.
template <class... Some>
KeyList keys(const Some&... some) {
  KeyList all;
  (all.add(some), ...);
  return all;
}

}  // namespace v0
}  // namespace tg

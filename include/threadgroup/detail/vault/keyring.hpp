// SPDX-License-Identifier: Apache-2.0
// Keyrings, which are structs of keys, and lists of keys.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <threadgroup/vault_key.hpp>

namespace tg {

namespace detail {

template <class T>
inline constexpr bool kIsKey = false;
template <class T>
inline constexpr bool kIsKey<Key<T>> = true;

// Converts to a key of any type, to count the members of a struct.
struct AnyMember {
  template <class T>
  operator Key<T>() const;  // never defined
};

inline constexpr std::size_t kMostFields = 24;

template <class Ring, std::size_t... I>
constexpr bool can_be_made_from(std::index_sequence<I...>) {
  return requires { Ring{(static_cast<void>(I), AnyMember{})...}; };
}

template <class Ring, std::size_t N = kMostFields + 1>
constexpr std::size_t count_fields() {
  if constexpr (N == 0) {
    return 0;
  } else if constexpr (can_be_made_from<Ring>(std::make_index_sequence<N>())) {
    return N;
  } else {
    return count_fields<Ring, N - 1>();
  }
}
template <class Ring>
inline constexpr std::size_t kFields = count_fields<Ring>();

template <class Ring>
concept NamesItsKeys = requires {
  Ring::keys();
};

}  // namespace detail

/// A struct of keys: an aggregate with 1 to 24 members, all of them keys, or a class with a static `keys()`
/// that returns its keys as a tuple. Use the second form for more keys, or for keys that are static members.
template <class Ring>
concept KeyringType =
    std::is_class_v<Ring> && !detail::kIsKey<Ring> &&
    (detail::NamesItsKeys<Ring> || (std::is_aggregate_v<Ring> && detail::kFields<Ring> > 0));

namespace detail {

template <class Ring, class Visit>
void visit_fields(const Ring& ring, Visit& visit) {
  if constexpr (kFields<Ring> == 1) {
    const auto& [k1] = ring;
    (visit(k1));
  } else if constexpr (kFields<Ring> == 2) {
    const auto& [k1, k2] = ring;
    (visit(k1), visit(k2));
  } else if constexpr (kFields<Ring> == 3) {
    const auto& [k1, k2, k3] = ring;
    (visit(k1), visit(k2), visit(k3));
  } else if constexpr (kFields<Ring> == 4) {
    const auto& [k1, k2, k3, k4] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4));
  } else if constexpr (kFields<Ring> == 5) {
    const auto& [k1, k2, k3, k4, k5] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5));
  } else if constexpr (kFields<Ring> == 6) {
    const auto& [k1, k2, k3, k4, k5, k6] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6));
  } else if constexpr (kFields<Ring> == 7) {
    const auto& [k1, k2, k3, k4, k5, k6, k7] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7));
  } else if constexpr (kFields<Ring> == 8) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8));
  } else if constexpr (kFields<Ring> == 9) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9));
  } else if constexpr (kFields<Ring> == 10) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10));
  } else if constexpr (kFields<Ring> == 11) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11));
  } else if constexpr (kFields<Ring> == 12) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12));
  } else if constexpr (kFields<Ring> == 13) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13));
  } else if constexpr (kFields<Ring> == 14) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14));
  } else if constexpr (kFields<Ring> == 15) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14), visit(k15));
  } else if constexpr (kFields<Ring> == 16) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, k16] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14), visit(k15), visit(k16));
  } else if constexpr (kFields<Ring> == 17) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, k16, k17] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14), visit(k15), visit(k16), visit(k17));
  } else if constexpr (kFields<Ring> == 18) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, k16, k17, k18] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14), visit(k15), visit(k16), visit(k17),
     visit(k18));
  } else if constexpr (kFields<Ring> == 19) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, k16, k17, k18, k19] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14), visit(k15), visit(k16), visit(k17),
     visit(k18), visit(k19));
  } else if constexpr (kFields<Ring> == 20) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, k16, k17, k18, k19, k20] =
        ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14), visit(k15), visit(k16), visit(k17),
     visit(k18), visit(k19), visit(k20));
  } else if constexpr (kFields<Ring> == 21) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, k16, k17, k18, k19, k20,
                 k21] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14), visit(k15), visit(k16), visit(k17),
     visit(k18), visit(k19), visit(k20), visit(k21));
  } else if constexpr (kFields<Ring> == 22) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, k16, k17, k18, k19, k20,
                 k21, k22] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14), visit(k15), visit(k16), visit(k17),
     visit(k18), visit(k19), visit(k20), visit(k21), visit(k22));
  } else if constexpr (kFields<Ring> == 23) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, k16, k17, k18, k19, k20,
                 k21, k22, k23] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14), visit(k15), visit(k16), visit(k17),
     visit(k18), visit(k19), visit(k20), visit(k21), visit(k22), visit(k23));
  } else if constexpr (kFields<Ring> == 24) {
    const auto& [k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, k16, k17, k18, k19, k20,
                 k21, k22, k23, k24] = ring;
    (visit(k1), visit(k2), visit(k3), visit(k4), visit(k5), visit(k6), visit(k7), visit(k8), visit(k9),
     visit(k10), visit(k11), visit(k12), visit(k13), visit(k14), visit(k15), visit(k16), visit(k17),
     visit(k18), visit(k19), visit(k20), visit(k21), visit(k22), visit(k23), visit(k24));
  }
}

/// Calls `visit` with each key of a keyring, in order.
template <KeyringType Ring, class Visit>
void for_each_key(const Ring& ring, Visit visit) {
  if constexpr (NamesItsKeys<Ring>) {
    std::apply([&visit](const auto&... key) { (visit(key), ...); }, Ring::keys());
  } else {
    static_assert(kFields<Ring> <= kMostFields,
                  "a keyring of this form has at most 24 keys; "
                  "give a larger one a static keys() that returns a tuple");
    visit_fields(ring, visit);
  }
}

}  // namespace detail

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

}  // namespace tg

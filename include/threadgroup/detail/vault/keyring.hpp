// SPDX-License-Identifier: Apache-2.0
// Goes through the members of a keyring.
#pragma once

#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <threadgroup/vault_key.hpp>

namespace tg::inline v0::detail {

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

/// Calls `visit` with each key of a keyring, in order. Requires: `KeyringType<Ring>`.
template <class Ring, class Visit>
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

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// What a vault says about its functions and keys.
#pragma once

#include <cstddef>
#include <string>

#include <threadgroup/detail/vault/store.hpp>

#include "vault/parts.hpp"

namespace tg::inline v0::detail {

/// What the automatic did, and what it waits for.
std::string explain_automatic(const ValueStore& store, const VaultParts& parts, std::size_t index)
    TG_REQUIRES(store.mutex());
/// The same for all, a line each.
std::string explain_all(const ValueStore& store, const VaultParts& parts) TG_REQUIRES(store.mutex());
/// Keys and functions as a graph for Graphviz.
std::string draw(const ValueStore& store, const VaultParts& parts) TG_REQUIRES(store.mutex());
/// "'f', 'g', which failed: why", or "".
std::string producers_of(const VaultParts& parts, std::size_t slot);

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// What a vault's core has behind its store.
#pragma once

#include <cstddef>

#include "vault/dataflow.hpp"
#include "vault/persistence.hpp"
#include "vault/producers.hpp"

namespace tg::inline v0::detail {

/// The parts of a vault, each with one job.
///
/// Thread safety: the vault's lock, which is the store's, guards everything.
struct VaultParts {
  explicit VaultParts(std::size_t slots) : flow(slots), producers(slots), persistence(slots) {}

  Dataflow flow;
  Producers producers;
  Persistence persistence;
  std::size_t waits = 0;  // for keys, right now
};

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// A function that a vault runs by itself, as it was declared.
#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/detail/vault/runner.hpp>
#include <threadgroup/detail/vault/value.hpp>

namespace tg::inline v0::detail {

class VaultCore;

/// How a run of an automatic ended, if it did not fail.
enum class RunOutcome { stored, condition_was_false };

/// Makes the waits for keys check their keys again.
struct TG_EXPORT TellWaiters {
  VaultCore* core;
  TG_LOCAL void operator()() const noexcept;
};

/// The part of an automatic that does not change, except for `retired`.
struct AutomaticInfo {
  struct Input {
    std::size_t slot;
    bool required;
  };
  std::string name;
  std::vector<Input> inputs;
  std::vector<std::size_t> outputs;
  bool clean_outputs = false;
  /// Calls the function with these inputs and stores what it returns. Runs follow each other (K3).
  UniqueFunction<RunOutcome(VaultCore&, std::size_t, std::vector<ValueRef>&)> call;
  std::unique_ptr<Runner> runner;
  // Once the group is stopped, the automatic cannot run any more.
  std::stop_token stop_token;
  std::unique_ptr<std::stop_callback<TellWaiters>> on_stop;
  bool retired = false;  // another automatic replaced it; guarded by the vault's lock

  bool can_run() const noexcept { return !stop_token.stop_requested() && !runner->lost(); }
};

}  // namespace tg::inline v0::detail

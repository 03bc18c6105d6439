// SPDX-License-Identifier: Apache-2.0
// The runs of automatics: from the hand-over to a group until the next one.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <threadgroup/detail/vault/core.hpp>

#include "vault/dataflow.hpp"

namespace tg::inline v0::detail {

/// Hands runs to their groups, runs them, and ends them. It has no state of its own; what an automatic is
/// doing is kept by `Dataflow`.
///
/// Requires: the caller holds no lock, for groups and functions are called. The core lives as long.
/// Thread safety: everything from any thread.
class Runs {
 public:
  explicit Runs(VaultCore& core) noexcept : core_(core) {}

  /// Hands over the next run of each. What went wrong first, if something did; the others are handed over
  /// nevertheless.
  std::exception_ptr launch_all(std::span<const std::size_t> automatics) noexcept;

  /// For the task: the function's failure, and that of launching the next run, are the task's.
  void run(std::size_t automatic);
  /// The task was destroyed without having run.
  void was_dropped(std::size_t automatic) noexcept;

 private:
  using State = AutomaticProgress::State;

  std::exception_ptr launch(std::size_t automatic) noexcept;
  std::exception_ptr group_is_gone(const AutomaticInfo& info) const noexcept;
  std::exception_ptr end(std::size_t automatic, State state, std::string problem) noexcept;
  void forget_outputs(std::size_t automatic) noexcept;

  VaultCore& core_;
};

/// One run in a group's queue. Destroyed uncalled, it says so.
class Run {
 public:
  Run(std::shared_ptr<VaultCore> core, std::size_t automatic)
      : core_(std::move(core)), automatic_(automatic) {}
  Run(Run&&) = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    if (core_ != nullptr) Runs(*core_).was_dropped(automatic_);
  }
  void operator()() {
    const std::shared_ptr<VaultCore> core = std::move(core_);
    Runs(*core).run(automatic_);
  }

 private:
  std::shared_ptr<VaultCore> core_;
  std::size_t automatic_;
};

}  // namespace tg::inline v0::detail

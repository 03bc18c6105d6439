// SPDX-License-Identifier: Apache-2.0
// Calls of bound functions, as the vault counts them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/vault/store.hpp>

namespace tg::inline v0::detail {

class VaultCore;

/// How a call of a bound function ended. `withdrawn`: it neither returned nor failed; another one may have.
enum class CallEnd : std::uint8_t { returned, failed, withdrawn };

/// One call of a bound function, from when it is announced, for instance as a task, until it has ended. The
/// vault counts these calls, so that it knows when no call is left that could store a key.
///
/// Thread safety: none.
/// Lifetime: the vault's core outlives it.
class TG_EXPORT Production {
 public:
  /// Without a function (`kNone`) nothing is counted.
  Production(VaultCore& core, std::size_t function) noexcept : core_(core), function_(function) {}
  Production(Production&& other) noexcept
      : core_(other.core_), function_(other.function_), state_(std::exchange(other.state_, State::ended)) {}
  Production& operator=(Production&&) = delete;
  /// A call that was announced and not made counts as failed.
  ~Production();

  /// Announces the call. Taking the inputs implies this.
  void announce() noexcept;
  /// The call has returned.
  void end() noexcept;
  void fail(const std::exception_ptr& error) noexcept;
  void withdraw() noexcept;

 private:
  friend class Producers;
  enum class State : std::uint8_t { unknown, announced, ended };
  bool announced() const noexcept { return function_ != kNone && state_ == State::announced; }

  VaultCore& core_;
  const std::size_t function_;
  State state_ = State::unknown;  // changes by the vault are guarded by its lock
};

/// Ends a call at the end of a scope, unless it has failed.
class EndOfProduction {
 public:
  explicit EndOfProduction(Production& production) noexcept : production_(production) {}
  EndOfProduction(const EndOfProduction&) = delete;
  EndOfProduction& operator=(const EndOfProduction&) = delete;
  ~EndOfProduction() { production_.end(); }

 private:
  Production& production_;
};

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// A call on a thread of its own, and its one owner.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/blocks.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/fork_generation.hpp>

namespace tg::inline v0::runtime {
class Flow;
}

namespace tg::inline v0::detail {

class CallNode;

/// A call that runs on a thread of the library while its caller waits, and that the thread takes over when the caller
/// is stopped.
///
///     std::unique_ptr<AbandonableCall> call(runtime::InBlock::make<TypedAbandonableCall<...>>(...));
///     AbandonableCall::run(call);                      // throws `Stopped` once the caller has gone on
///
/// Guarantees: it is destroyed once, by its owner. That is the caller; and the thread, if the caller is stopped before
/// the call has ended. The first change of `state_` decides.
/// Thread safety: an object belongs to its owner; the thread calls `make` while the caller waits.
/// Memory ordering: what the call has done happens before the return of `run`, or before its destruction by the thread.
class TG_EXPORT AbandonableCall : public runtime::InBlock {
 public:
  AbandonableCall(const AbandonableCall&) = delete;
  AbandonableCall& operator=(const AbandonableCall&) = delete;
  virtual ~AbandonableCall();

  /// False if nothing can stop the caller, or if the caller is itself such a call: then the call is made directly.
  /// Otherwise gives the call a name, if it has none. Throws `Stopped` if the caller is stopped.
  static bool is_for_caller(std::string& name);
  /// Runs the call. If it throws `Stopped`, `call` is null if the call has begun: it is the thread's now. Rethrows what
  /// the call has thrown.
  static void run(std::unique_ptr<AbandonableCall>& call);

 protected:
  explicit AbandonableCall(std::string&& name) noexcept : name_(std::move(name)) {}

 private:
  enum class State : std::uint8_t { runs, ended, abandoned };

  virtual void make() = 0;
  /// The callable, its arguments, and its result.
  virtual void destroy_parts() noexcept = 0;
  TG_LOCAL void begin();
  TG_LOCAL static void serve(void* call) noexcept;

  // Constant once the thread is started.
  std::string name_;
  runtime::Flow* caller_ = nullptr;
  CallNode* node_ = nullptr;
  bool has_permit_ = false;
  const std::uint32_t fork_generation_ = runtime::fork_generation();

  std::exception_ptr exception_;      // the thread's, then the owner's
  Atomic<State> state_{State::runs};  // atomic: caller and thread decide whose the call is
};

/// A call of a function with its arguments, both owned by the call, and what it returns.
///
/// Thread safety: as the base's; `take_result` after `run`, once.
template <class F, class... Args>
class TypedAbandonableCall final : public AbandonableCall {
 public:
  using Result = std::invoke_result_t<F, Args...>;

  template <class Function, class... Arguments>
  explicit TypedAbandonableCall(std::string&& name, Function&& function, Arguments&&... arguments)
      : AbandonableCall(std::move(name)),
        parts_(std::in_place, std::forward<Function>(function), std::forward<Arguments>(arguments)...) {}

  Result take_result() {
    if constexpr (!std::is_void_v<Result>) return std::move(*result_);
  }

 private:
  void make() override {
    const auto call = [](F&& function, Args&&... arguments) -> Result {
      return std::invoke(std::move(function), std::move(arguments)...);
    };
    if constexpr (std::is_void_v<Result>) {
      std::apply(call, *std::move(parts_));
    } else {
      result_.emplace(std::apply(call, *std::move(parts_)));
    }
  }
  void destroy_parts() noexcept override {
    parts_.reset();
    if constexpr (!std::is_void_v<Result>) result_.reset();
  }

  struct Nothing {};
  std::optional<std::tuple<F, Args...>> parts_;
  std::conditional_t<std::is_void_v<Result>, Nothing, std::optional<Result>> result_;
};

}  // namespace tg::inline v0::detail

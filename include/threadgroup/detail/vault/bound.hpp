// SPDX-License-Identifier: Apache-2.0
// Functions tied to the keys of a vault.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <threadgroup/detail/vault/binding.hpp>
#include <threadgroup/detail/vault/core.hpp>
#include <threadgroup/vault_types.hpp>

namespace tg::inline v0::detail {

/// A function with its keys, shared by the copies of what `Vault::bind` returns.
template <class F, class In, class Out>
class BoundCall;
template <class F, class... In, class... Out>
class BoundCall<F, Inputs<In...>, Outputs<Out...>> {
  using Traits = CallTraits<F, In...>;
  static_assert(Traits::kGood);

 public:
  using Result = decltype(Traits::call(std::declval<F&>(), std::declval<const std::vector<ValueRef>&>()));
  static_assert(check_results<Result, Out...>());
  // The caller receives the result only if it can be copied, because the vault gets it, too.
  static constexpr bool kReturns = sizeof...(Out) == 0 || std::is_copy_constructible_v<std::decay_t<Result>>;
  using Returned = std::conditional_t<kReturns, Result, void>;

  BoundCall(const VaultCore& core, const Inputs<In...>& in, const Outputs<Out...>& out, F f,
            BindOptions options)
      : input_slots_(find_all(core, in.keys)),
        output_slots_(find_all(core, out.keys)),
        required_(Traits::required()),
        output_keys_(out.keys),
        options_(std::move(options)),
        f_(std::move(f)) {
    if (options_.name.empty()) options_.name = describe_flow(core, input_slots_, output_slots_);
  }

  const std::vector<std::size_t>& input_slots() const noexcept { return input_slots_; }
  const std::vector<std::size_t>& output_slots() const noexcept { return output_slots_; }
  const std::vector<bool>& required() const noexcept { return required_; }
  const BindOptions& options() const noexcept { return options_; }
  bool replaces_input() const {
    return std::any_of(output_slots_.begin(), output_slots_.end(), [this](std::size_t output) {
      return std::find(input_slots_.begin(), input_slots_.end(), output) != input_slots_.end();
    });
  }

  /// The number of the function in the vault, for `Production`.
  std::size_t function() const noexcept { return function_; }
  void set_function(std::size_t function) noexcept { function_ = function; }

  /// One call, from the inputs to the outputs.
  Returned run(VaultCore& core, Production& production) {
    const EndOfProduction end(production);
    try {
      const std::vector<ValueRef> inputs = take_inputs(core, production);
      if (options_.clean_outputs) core.erase(output_slots_);
      return call(
          core, inputs,
          {options_.permit_modification || options_.output_replaces_input, kNone, false, &production});
    } catch (...) {
      production.fail(std::current_exception());
      throw;
    }
  }

  std::vector<ValueRef> take_inputs(VaultCore& core, Production& production) const {
    std::vector<ValueRef> values = core.take_inputs(input_slots_, production);
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (required_[i] && !values[i]) missing.push_back(input_slots_[i]);
    }
    if (!missing.empty()) core.throw_missing(missing);
    return values;
  }

  /// Calls the function and stores its outputs.
  Returned call(VaultCore& core, const std::vector<ValueRef>& values, const CommitOptions& options) {
    if constexpr (sizeof...(Out) == 0) {
      return Traits::call(f_, values);
    } else if constexpr (kReturns) {
      Result result = Traits::call(f_, values);
      store(core, std::decay_t<Result>(result), options);
      return static_cast<Result>(result);
    } else {
      store(core, Traits::call(f_, values), options);
    }
  }

 private:
  template <class R>
  void store(VaultCore& core, R&& result, const CommitOptions& options) {
    std::vector<Change> changes = changes_from(std::forward<R>(result), output_keys_, output_slots_);
    if (!changes.empty()) core.commit(changes, options);
  }

  // Constant after construction.
  std::vector<std::size_t> input_slots_;
  std::vector<std::size_t> output_slots_;
  std::vector<bool> required_;
  std::tuple<Key<Out>...> output_keys_;
  BindOptions options_;
  std::size_t function_ = kNone;

  F f_;  // called on the flow of the caller, like a plain callable
};

/// What `Vault::bind` returns. Copies share the function.
template <class Call>
class Bound {
 public:
  Bound(std::shared_ptr<VaultCore> core, std::shared_ptr<Call> call)
      : core_(std::move(core)), call_(std::move(call)) {}

  typename Call::Returned operator()() const {
    Production production(*core_, call_->function());
    return call_->run(*core_, production);
  }
  const std::string& name() const noexcept { return call_->options().name; }

  /// The form in which a task keeps it. It tells the vault that this call will be made, and if the task is
  /// skipped, that it was not.
  class AsTask {
   public:
    explicit AsTask(const Bound& bound) noexcept
        : core_(bound.core_), call_(bound.call_), production_(*core_, call_->function()) {
      production_.announce();
    }
    AsTask(AsTask&&) noexcept = default;
    typename Call::Returned operator()() { return call_->run(*core_, production_); }

   private:
    std::shared_ptr<VaultCore> core_;
    std::shared_ptr<Call> call_;
    Production production_;
  };

  /// As long as this object exists, another call may follow one that failed.
  class Retried {
   public:
    explicit Retried(const Bound& bound) noexcept
        : core_(bound.core_), production_(*core_, bound.call_->function()) {
      production_.announce();
    }
    Retried(const Retried&) = delete;
    Retried& operator=(const Retried&) = delete;
    ~Retried() { production_.withdraw(); }

   private:
    std::shared_ptr<VaultCore> core_;
    Production production_;
  };

 private:
  std::shared_ptr<VaultCore> core_;
  std::shared_ptr<Call> call_;
};

template <class... In, class... Out, class F>
auto make_bound(const std::shared_ptr<VaultCore>& core, Inputs<In...> in, Outputs<Out...> out, F f,
                BindOptions options) {
  using Call = BoundCall<F, Inputs<In...>, Outputs<Out...>>;
  auto call = std::make_shared<Call>(*core, in, out, std::move(f), std::move(options));
  if (call->replaces_input() && !call->options().output_replaces_input) {
    throw DeclarationError("", "vault '" + core->name() + "': function '" + call->options().name +
                                   "' has an output that is also an input, without output_replaces_input");
  }
  call->set_function(
      core->add_bound_function(call->options().name, call->input_slots(), call->output_slots()));
  return Bound<Call>(core, std::move(call));
}

/// The condition of an automatic that has none.
struct NoCondition {};

template <class... In, class... Out, class F, class Condition>
std::unique_ptr<AutomaticInfo> make_automatic(const VaultCore& core, Inputs<In...> in, Outputs<Out...> out,
                                              F f, Condition condition, const BindOptions& options) {
  using Call = BoundCall<F, Inputs<In...>, Outputs<Out...>>;
  constexpr bool kConditional = !std::is_same_v<Condition, NoCondition>;
  auto call = std::make_unique<Call>(core, in, out, std::move(f), options);
  auto info = std::make_unique<AutomaticInfo>();
  info->name = call->options().name;
  info->outputs = call->output_slots();
  info->clean_outputs = options.clean_outputs;
  std::vector<bool> required = call->required();
  if constexpr (kConditional) {
    const std::vector<bool> tested = CallTraits<Condition, In...>::required();
    for (std::size_t i = 0; i < required.size(); ++i) required[i] = required[i] || tested[i];
  }
  for (std::size_t i = 0; i < sizeof...(In); ++i)
    info->inputs.push_back({call->input_slots()[i], required[i]});
  info->call = [call = std::move(call), condition = std::move(condition)](
                   VaultCore& vault, std::size_t index, std::vector<ValueRef>& inputs) mutable {
    if constexpr (kConditional) {
      if (!CallTraits<Condition, In...>::call(condition, inputs)) return RunOutcome::condition_was_false;
    }
    static_cast<void>(call->call(vault, inputs, {call->options().permit_modification, index, false}));
    return RunOutcome::stored;
  };
  return info;
}

}  // namespace tg::inline v0::detail

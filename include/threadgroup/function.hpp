// SPDX-License-Identifier: Apache-2.0
// Functions with a name and arguments, to be run together later: as often as wanted, by any number of
// threads.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/function_call.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/results.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {

/// The name of a function, and where the function got it. It is made from a string by the call that names the
/// function, and not by hand: a failure's report then says where that call is.
struct FunctionName {
  template <class Name>
  requires std::convertible_to<Name, std::string> FunctionName(  // implicit: it is a name
      Name&& name, SourceLocation named_at = SourceLocation::current())
      : value(std::forward<Name>(name)), where(named_at) {}
  std::string value;
  SourceLocation where;
};

namespace detail {

/// A name, and a call whose arguments may be replaced.
class FunctionCell {
 public:
  /// Throws `std::invalid_argument` if the name is empty.
  FunctionCell(FunctionName name, std::shared_ptr<const FunctionCall> call);
  const FunctionName& name() const noexcept { return name_; }
  std::shared_ptr<const FunctionCall> call() const;
  void replace(std::shared_ptr<const FunctionCall> call);

 private:
  // Constant after construction.
  const FunctionName name_;
  Mutex& mutex_;  // shared with other cells

  std::shared_ptr<const FunctionCall> call_ TG_GUARDED_BY(mutex_);
};

}  // namespace detail

/// A function with a name and arguments, whatever its type.
///
///     std::vector<Function> functions = {create_function("f1", f1, 1), create_function("f2", f2, "two")};
///     std::cout << threaded_execution(functions);
///
/// The arguments are kept (a C string as a `std::string` where the function takes one) and passed as
/// constants; a parameter that takes over its argument (`T&&`, a non-const `T&` never) receives a copy.
///
/// Thread safety: as the function's, which may be called by several threads at once.
/// Lifetime: cheap to copy; copies share function and arguments.
class Function {
 public:
  explicit Function(std::shared_ptr<detail::FunctionCell> cell) noexcept : cell_(std::move(cell)) {}
  const std::string& name() const noexcept { return cell_->name().value; }
  /// Calls it here and now with its arguments.
  Value operator()() const { return cell_->call()->call(); }
  const std::shared_ptr<detail::FunctionCell>& cell() const noexcept { return cell_; }

 private:
  std::shared_ptr<detail::FunctionCell> cell_;
};

/// What registering gives back: calls the function directly, as if it had not been registered.
///
///     auto f1 = group.register_function("f1", [](int a) { return a + 1; }, 41);
///     f1(1);                   // 2; nothing of the group is involved
///     f1.update_args(99);      // what `execute` passes from now on
///
/// Lifetime: cheap to copy, and may outlive the group.
template <class F>
class RegisteredFunction {
 public:
  template <class G, class... Given>
  RegisteredFunction(FunctionName name, std::in_place_type_t<F>, G&& f, Given&&... given)
      : f_(std::make_shared<F>(std::forward<G>(f))),
        function_(std::make_shared<detail::FunctionCell>(
            std::move(name), detail::bind_call(f_, std::forward<Given>(given)...))) {}

  template <class... Args>
  requires std::is_invocable_v<F&, Args...>
  decltype(auto) operator()(Args&&... args) const { return std::invoke(*f_, std::forward<Args>(args)...); }

  /// Replaces the arguments; the compiler checks that the function takes them. Runs that have begun keep
  /// theirs.
  template <class... Args>
  requires detail::kCallableWith<F, std::decay_t<Args>...>
  void update_args(Args&&... args) const {
    function_.cell()->replace(detail::bind_call(f_, std::forward<Args>(args)...));
  }

  const std::string& name() const noexcept { return function_.name(); }
  const Function& function() const noexcept { return function_; }

 private:
  std::shared_ptr<F> f_;
  Function function_;
};

/// A function to be run by `threaded_execution`, or registered with `ThreadGroup::register_function`.
template <class F, class... Args>
Function create_function(FunctionName name, F&& f, Args&&... args) {
  using Callable = std::decay_t<F>;
  return Function(std::make_shared<detail::FunctionCell>(
      std::move(name),
      detail::bind_call(std::make_shared<Callable>(std::forward<F>(f)), std::forward<Args>(args)...)));
}

}  // namespace tg

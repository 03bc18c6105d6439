// SPDX-License-Identifier: Apache-2.0
// Functions with a name and arguments, to be run together later, any number of times and by any threads.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/function_call.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/results.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {
inline namespace v0 {

/// The name of a function, and where the function was named. Pass a string: the implicit conversion records
/// the file and line of the call, which the report of a failure shows.
struct FunctionName {
  /// Implicit, so that a string can be passed.
  template <class Name>
  requires std::convertible_to<Name, std::string> FunctionName(
      Name&& name, SourceLocation named_at = SourceLocation::current())
      : value(std::forward<Name>(name)), where(named_at) {}
  std::string value;     ///< the name
  SourceLocation where;  ///< the call that named the function
};

namespace detail {

/// A name, and a call whose arguments may be replaced.
class TG_EXPORT FunctionCell {
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

/// A function of any type with a name and arguments.
///
///     std::vector<Function> functions = {create_function("f1", f1, 1), create_function("f2", f2, "two")};
///     std::cout << threaded_execution(functions);
///
/// The arguments are kept, a C string as a `std::string` if the function takes one. They are passed as
/// constants. A `T&&` parameter receives a copy; a non-const `T&` parameter is refused.
///
/// Thread safety: that of the callable, which several threads may call at once.
/// Lifetime: cheap to copy; copies share the callable and the arguments.
class Function {
 public:
  /// For the library; users call `create_function`.
  explicit Function(std::shared_ptr<detail::FunctionCell> cell) noexcept : cell_(std::move(cell)) {}
  /// The name given to `create_function` or `register_function`.
  const std::string& name() const noexcept { return cell_->name().value; }
  /// Calls the function on this thread with its arguments.
  Value operator()() const { return cell_->call()->call(); }
  /// For the library.
  const std::shared_ptr<detail::FunctionCell>& cell() const noexcept { return cell_; }

 private:
  std::shared_ptr<detail::FunctionCell> cell_;
};

/// What `ThreadGroup::register_function` returns: a callable that calls the function directly.
///
///     auto f1 = group.register_function("f1", [](int a) { return a + 1; }, 41);
///     f1(1);                   // 2; the group takes no part in this
///     f1.update_args(99);      // what `execute` passes from now on
///
/// Lifetime: cheap to copy, and may outlive the group.
template <class F>
class RegisteredFunction {
 public:
  /// For the library; users call `ThreadGroup::register_function`.
  template <class G, class... Given>
  RegisteredFunction(FunctionName name, std::in_place_type_t<F>, G&& f, Given&&... given)
      : f_(std::make_shared<F>(std::forward<G>(f))),
        function_(std::make_shared<detail::FunctionCell>(
            std::move(name), detail::bind_call(f_, std::forward<Given>(given)...))) {}

  /// Calls the function with these arguments and returns what it returns.
  template <class... Args>
  requires std::is_invocable_v<F&, Args...>
  decltype(auto) operator()(Args&&... args) const { return std::invoke(*f_, std::forward<Args>(args)...); }

  /// Replaces the arguments that `execute` passes. The compiler checks that the function takes them. Runs
  /// that have begun keep their arguments.
  template <class... Args>
  requires detail::kCallableWith<F, std::decay_t<Args>...>
  void update_args(Args&&... args) const {
    function_.cell()->replace(detail::bind_call(f_, std::forward<Args>(args)...));
  }

  /// The name under which the function is registered.
  const std::string& name() const noexcept { return function_.name(); }
  /// The function with the arguments that `execute` passes.
  const Function& function() const noexcept { return function_; }

 private:
  std::shared_ptr<F> f_;
  Function function_;
};

/// Makes a function for `threaded_execution` or `ThreadGroup::register_function`. Throws
/// `std::invalid_argument` if the name is empty.
template <class F, class... Args>
Function create_function(FunctionName name, F&& f, Args&&... args) {
  using Callable = std::decay_t<F>;
  return Function(std::make_shared<detail::FunctionCell>(
      std::move(name),
      detail::bind_call(std::make_shared<Callable>(std::forward<F>(f)), std::forward<Args>(args)...)));
}

}  // namespace v0
}  // namespace tg

// SPDX-License-Identifier: Apache-2.0
// Values of any type, and the results of functions that ran together.
#pragma once

#include <cstddef>
#include <exception>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/print.hpp>
#include <threadgroup/task_handle.hpp>

namespace tg {
inline namespace v0 {

/// Owns a value of any movable type, or nothing (the result of a function that returns void). Move-only.
///
///     Value v = Value::of(std::vector{1, 2});
///     v.str();                          // "[1, 2]"
///     v.try_as<std::vector<int>>();     // a pointer to the vector
///     v.try_as<int>();                  // nullptr
///
/// Thread safety: any number of threads may read one object.
class Value {
 public:
  Value() = default;  ///< nothing; prints as "void"

  /// Copies or moves the value in.
  template <class T>
  static Value of(T&& value) {
    using Stored = std::decay_t<T>;
    static_assert(std::is_constructible_v<Stored, T&&>,
                  "a result is kept; this one can neither be copied nor moved out of the function");
    static_assert(std::is_nothrow_destructible_v<Stored>,
                  "the destructor of a result must not throw: no caller could catch it");
    Value made;
    made.held_ = std::make_unique<const Held<Stored>>(std::forward<T>(value));
    return made;
  }

  /// False for the result of a function that returns void.
  bool has_value() const noexcept { return held_ != nullptr; }
  /// The type of the value; `typeid(void)` for nothing.
  const std::type_info& type() const noexcept { return held_ != nullptr ? held_->type() : typeid(void); }
  /// The type as in the source: "int", "std::vector<std::string>".
  std::string type_name() const { return detail::type_name(type()); }
  /// The value as text; see `Printer`. "void" for nothing.
  std::string str() const { return held_ != nullptr ? held_->str() : "void"; }

  /// The value if its type is exactly `T` (nothing is converted), else null.
  template <class T>
  const T* try_as() const noexcept {
    if (held_ == nullptr || held_->type() != typeid(T)) return nullptr;
    return &static_cast<const Held<T>&>(*held_).value;
  }

 private:
  struct TG_EXPORT HeldBase {
    virtual ~HeldBase() = default;
    virtual const std::type_info& type() const noexcept = 0;
    virtual std::string str() const = 0;
  };
  template <class T>
  struct Held final : HeldBase {
    template <class U>
    explicit Held(U&& given) : value(std::forward<U>(given)) {}
    const std::type_info& type() const noexcept override { return typeid(T); }
    std::string str() const override { return detail::printed(value); }
    T value;
  };

  std::unique_ptr<const HeldBase> held_;
};

/// A result was requested as another type than its own.
class TG_EXPORT ResultTypeError : public std::logic_error {
 public:
  /// `function` is the name of the function, for the text.
  ResultTypeError(const std::string& function, const std::type_info& asked, const std::type_info& held);
};

/// How one function ended, and its result if it succeeded.
///
///     for (const ResultStruct& r : group.execute())
///       std::cout << r.str() << '\n';     // (function=f1; result=1)
///
/// Thread safety: any number of threads may read one object.
/// Lifetime: cheap to copy; the result lives as long as any copy.
class TG_EXPORT ResultStruct {
 public:
  /// For the library.
  explicit ResultStruct(TaskHandle<Value> handle) noexcept : handle_(std::move(handle)) {}

  /// The name under which the function was registered.
  const std::string& fn_name() const { return handle_.name(); }
  /// How the function ended.
  TaskStatus status() const { return handle_.status(); }
  /// True if the function returned.
  bool succeeded() const { return status() == TaskStatus::succeeded; }
  std::exception_ptr exception() const { return handle_.exception(); }  ///< what it threw, if it failed
  std::optional<Reason> reason() const { return handle_.reason(); }     ///< why it was stopped or skipped

  /// The result, if its type is exactly `T`. Throws `ResultTypeError` if it has another type, what the
  /// function threw if it failed or was stopped, and `TaskSkipped` if it never ran.
  template <class T>
  const T& as() const {
    if (const T* value = this->value().template try_as<T>()) return *value;
    throw ResultTypeError(fn_name(), typeid(T), this->value().type());
  }
  /// The result. Throws what `as` throws if there is none.
  const Value& value() const { return handle_.view(); }

  /// One line for people:
  ///
  ///     (function=f1; result=1)
  ///     (function=f1; failed=what)
  ///     (function=f1; stopped=reason)
  ///     (function=f1; skipped=reason)
  ///     (function=f1; running)               if the caller was stopped before the function ended
  std::string str() const;
  /// The task that ran the function.
  const TaskHandle<Value>& handle() const noexcept { return handle_; }

 private:
  TaskHandle<Value> handle_;
};

/// Results in the order in which the functions were registered.
///
///     std::cout << group.execute();        // [(function=f1; result=1), (function=f2; result=2)]
///
/// Thread safety: any number of threads may read one object; a list never changes.
/// Lifetime: cheap to copy, independent of the group.
class TG_EXPORT ResultList {
 public:
  using value_type = ResultStruct;                                   ///< the result of one function
  using const_iterator = std::vector<ResultStruct>::const_iterator;  ///< a random-access iterator

  /// An empty list.
  ResultList() = default;
  /// For the library.
  explicit ResultList(std::vector<ResultStruct> results)
      : results_(std::make_shared<const std::vector<ResultStruct>>(std::move(results))) {}

  const_iterator begin() const noexcept { return all().begin(); }  ///< the first result
  const_iterator end() const noexcept { return all().end(); }      ///< one past the last result
  std::size_t size() const noexcept { return all().size(); }       ///< the number of results
  bool empty() const noexcept { return all().empty(); }            ///< true if there are no results
  /// The result of the function registered at this position, from 0. Requires: `index` < `size()`.
  const ResultStruct& operator[](std::size_t index) const noexcept { return all()[index]; }
  /// The same with a check: throws `std::out_of_range`.
  const ResultStruct& at(std::size_t index) const { return all().at(index); }

  /// The results of the functions of this name. Several functions may share a name.
  ResultList get(const std::string& fn_name) const;
  /// The results by the names of the functions.
  std::map<std::string, std::vector<ResultStruct>> asdict() const;
  /// The failures, in the order of the list.
  std::vector<Failure> failures() const;
  /// True if all functions have ended. False only if the caller's scope or group was stopped before that.
  bool complete() const;
  /// All results in one line: "[(function=f1; result=1), (function=f2; result=2)]".
  std::string str() const;

 private:
  const std::vector<ResultStruct>& all() const noexcept;
  std::shared_ptr<const std::vector<ResultStruct>> results_;
};

/// Writes `result.str()`.
TG_EXPORT std::ostream& operator<<(std::ostream& out, const ResultStruct& result);
/// Writes `results.str()`.
TG_EXPORT std::ostream& operator<<(std::ostream& out, const ResultList& results);

namespace detail {
/// Throws `FunctionFailures` if `failures` is not empty.
TG_EXPORT void throw_function_failures(const std::string& group, std::vector<Failure> failures,
                                       ResultList results);
/// Marks the failures as delivered, so that no join throws them again.
TG_EXPORT void claim_failures(const ResultList& results) noexcept;
}  // namespace detail

/// One or several functions failed. It is thrown after all functions have ended. The text names each failed
/// one, and `results` has all results.
///
///     try { group.execute(); }
///     catch (const tg::FunctionFailures& e) {
///       std::cerr << e.what();  // function 'f2' failed in group 'MainThread/g': no route (added at f.cpp:9)
///       for (const tg::ResultStruct& r : e.results()) ...
///     }
///
/// `std::rethrow_if_nested` throws the first failure as itself.
class TG_EXPORT FunctionFailures : public TaskFailures, public std::nested_exception {
 public:
  /// The results of all functions, also of those that succeeded.
  const ResultList& results() const noexcept { return results_; }

 protected:
  /// For failures of something other than registered functions. `what` is the word for one of them in the
  /// text.
  FunctionFailures(const char* what, const std::string& group, std::vector<Failure> failures)
      : TaskFailures(what, group, std::move(failures)) {}

 private:
  friend void detail::throw_function_failures(const std::string& group, std::vector<Failure> failures,
                                              ResultList results);
  FunctionFailures(const std::string& group, std::vector<Failure> failures, ResultList results);
  ResultList results_;
};

}  // namespace v0
}  // namespace tg

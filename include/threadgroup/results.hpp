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

#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/print.hpp>
#include <threadgroup/task_handle.hpp>

namespace tg {

/// Owns a value of any type, also of one that can only be moved; or nothing, for functions that return void.
///
///     Value v = Value::of(std::vector{1, 2});      v.str() == "[1, 2]"      v.try_as<std::vector<int>>() !=
///     nullptr
///
/// Thread safety: reading from any threads.
class Value {
 public:
  Value() = default;  ///< nothing; prints as "void"

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

  bool has_value() const noexcept { return held_ != nullptr; }
  const std::type_info& type() const noexcept { return held_ != nullptr ? held_->type() : typeid(void); }
  /// As in the source: "int", "std::vector<std::string>".
  std::string type_name() const { return detail::type_name(type()); }
  std::string str() const { return held_ != nullptr ? held_->str() : "void"; }

  /// The value if it is a `T` (exactly: there are no conversions), else null.
  template <class T>
  const T* try_as() const noexcept {
    if (held_ == nullptr || held_->type() != typeid(T)) return nullptr;
    return &static_cast<const Held<T>&>(*held_).value;
  }

 private:
  struct HeldBase {
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

/// A result was asked for as a type that it is not.
class ResultTypeError : public std::logic_error {
 public:
  ResultTypeError(const std::string& function, const std::type_info& asked, const std::type_info& held);
};

/// How one function ended, and its result if it succeeded.
///
///     for (const ResultStruct& r : group.execute()) std::cout << r.str() << '\n';     // (function=f1;
///     result=1)
///
/// Thread safety: reading from any threads.
/// Lifetime: cheap to copy; the result lives as long as any copy.
class ResultStruct {
 public:
  explicit ResultStruct(TaskHandle<Value> handle) noexcept : handle_(std::move(handle)) {}

  const std::string& fn_name() const { return handle_.name(); }
  TaskStatus status() const { return handle_.status(); }
  bool succeeded() const { return status() == TaskStatus::succeeded; }
  std::exception_ptr exception() const { return handle_.exception(); }  ///< of a failed one
  std::optional<Reason> reason() const { return handle_.reason(); }     ///< of a stopped or skipped one

  /// The result, of exactly this type. Throws `ResultTypeError` if it is of another one, what the function
  /// threw if it failed or was stopped, `TaskSkipped` if it never ran.
  template <class T>
  const T& as() const {
    if (const T* value = this->value().template try_as<T>()) return *value;
    throw ResultTypeError(fn_name(), typeid(T), this->value().type());
  }
  /// The result of whatever type. Throws as `as` does.
  const Value& value() const { return handle_.view(); }

  /// "(function=f1; result=1)", "(function=f1; failed=what)", "(function=f1; stopped=reason)",
  /// "(function=f1; skipped=reason)", or, where the caller was stopped before the end, "(function=f1;
  /// running)".
  std::string str() const;
  const TaskHandle<Value>& handle() const noexcept { return handle_; }

 private:
  TaskHandle<Value> handle_;
};

/// Results in the order in which the functions were registered.
///
///     std::cout << group.execute();        // [(function=f1; result=1), (function=f2; result=2)]
///
/// Thread safety: reading from any threads; it never changes.
/// Lifetime: cheap to copy, independent of the group.
class ResultList {
 public:
  using value_type = ResultStruct;
  using const_iterator = std::vector<ResultStruct>::const_iterator;

  ResultList() = default;
  explicit ResultList(std::vector<ResultStruct> results)
      : results_(std::make_shared<const std::vector<ResultStruct>>(std::move(results))) {}

  const_iterator begin() const noexcept { return all().begin(); }
  const_iterator end() const noexcept { return all().end(); }
  std::size_t size() const noexcept { return all().size(); }
  bool empty() const noexcept { return all().empty(); }
  const ResultStruct& operator[](std::size_t index) const noexcept { return all()[index]; }
  const ResultStruct& at(std::size_t index) const { return all().at(index); }

  /// Those of this name; several functions may share one.
  ResultList get(const std::string& fn_name) const;
  std::map<std::string, std::vector<ResultStruct>> asdict() const;
  /// What failed, in the order of the list.
  std::vector<Failure> failures() const;
  /// Everything has ended. False only if the caller's own group was stopped before the end.
  bool complete() const;
  std::string str() const;

 private:
  const std::vector<ResultStruct>& all() const noexcept;
  std::shared_ptr<const std::vector<ResultStruct>> results_;
};

std::ostream& operator<<(std::ostream& out, const ResultStruct& result);
std::ostream& operator<<(std::ostream& out, const ResultList& results);

/// One or several functions failed. Thrown after all have ended; it names each failed one, and has all
/// results.
///
///     try { group.execute(); }
///     catch (const tg::FunctionFailures& e) {
///       std::cerr << e.what();  // function 'f2' failed in group 'MainThread/g': no route (added at f.cpp:9)
///       for (const tg::ResultStruct& r : e.results()) ...
///     }
///
/// `std::rethrow_if_nested` on it throws the first failure as itself.
class FunctionFailures : public TaskFailures, public std::nested_exception {
 public:
  const ResultList& results() const noexcept { return results_; }

 protected:
  /// For failures of something other than registered functions: `what` is the word for one of them.
  FunctionFailures(const char* what, const std::string& group, std::vector<Failure> failures)
      : TaskFailures(what, group, std::move(failures)) {}

 private:
  friend void throw_function_failures(const std::string& group, std::vector<Failure> failures,
                                      ResultList results);
  FunctionFailures(const std::string& group, std::vector<Failure> failures, ResultList results);
  ResultList results_;
};

/// Throws `FunctionFailures` if there are any.
void throw_function_failures(const std::string& group, std::vector<Failure> failures,
                             ResultList results = {});

namespace detail {
/// Marks the failures as delivered, so that no join throws them again.
void claim_failures(const ResultList& results) noexcept;
}  // namespace detail

}  // namespace tg

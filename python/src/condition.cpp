// SPDX-License-Identifier: Apache-2.0
// Looking at a condition from a wait of the C++ side.
#include "condition.hpp"

#include <algorithm>

#include "arguments.hpp"
#include "caller.hpp"
#include "runtime/flow.hpp"

namespace tg::python {

namespace {
bool look(PyObject* predicate) {
  PyObject* const answer = calling_python([&] { return PyObject_CallNoArgs(predicate); });
  if (answer == nullptr) throw PythonError::fetch();
  const Ref owned = Ref::steal(answer);
  const int truth = calling_python([&] { return PyObject_IsTrue(answer); });
  if (truth < 0) throw PythonError::fetch();
  return truth == 1;
}
}  // namespace

bool ConditionArguments::parse_from(PyObject* args, PyObject* named) {
  static const char* const names[] = {"predicate", "timeout", "interval", "stop_when_idle", nullptr};
  PyObject* given_timeout = nullptr;
  PyObject* given_interval = nullptr;
  int when_idle = 1;
  if (!parse(args, named, "O|OOp:wait_for_condition", names, &predicate, &given_timeout, &given_interval,
             &when_idle))
    return false;
  if (PyCallable_Check(predicate) == 0) {
    PyErr_Format(PyExc_TypeError, "the predicate is not callable: %R", predicate);
    return false;
  }
  timeout = to_duration(given_timeout);
  interval = given_interval != nullptr ? to_duration(given_interval) : Duration::from_nanos(100'000'000);
  stop_when_idle = when_idle != 0;
  where = python_caller();
  return true;
}

WaitStatus wait_for_condition(const ConditionArguments& given, FunctionRef<std::uint64_t()> changes,
                              ConditionWait wait) {
  const Duration interval = given.interval;
  const Duration timeout = given.timeout;
  constexpr Duration kSlice = Duration::from_nanos(20'000'000);
  const bool on_main = runtime::Flow::current().is_main();
  const TimePoint deadline = runtime::after(timeout);
  ConditionOptions options;
  options.stop_when_idle = given.stop_when_idle;
  // On the main thread the C++ side comes by more often than asked, for the sake of signals; the predicate is
  // called only when it is due.
  options.interval = on_main && interval > Duration() ? std::min(interval, kSlice) : interval;
  TimePoint due;
  std::uint64_t seen = 0;

  PyThreadState* const state = PyEval_SaveThread();
  const auto predicate_on_cpp_side = [&] {
    take_back(state);
    struct GiveAway {
      ~GiveAway() { PyEval_SaveThread(); }
    } give_away;
    if (on_main) check_signals();
    const TimePoint now = runtime::now();
    const std::uint64_t current = changes();
    if (on_main && now < due && current == seen && now < deadline) return false;
    seen = current;
    due = runtime::after(interval);
    return look(given.predicate);
  };
  std::exception_ptr error;
  WaitStatus status = WaitStatus::timed_out;
  try {
    status = wait(predicate_on_cpp_side, timeout, options);
  } catch (...) {
    error = std::current_exception();
  }
  take_back(state);
  if (error) std::rethrow_exception(error);
  return status;
}

}  // namespace tg::python

// SPDX-License-Identifier: Apache-2.0
// Values and errors between C++ and Python, and waits that Ctrl-C can end.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <pybind11/cast.h>  // pybind11.h takes two seconds more for each source

#include <threadgroup/condition.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/statistics.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "gil.hpp"
#include "python_error.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::python {

namespace py = pybind11;

/// Seconds as a number, or a timedelta; None is forever.
Duration to_duration(PyObject* seconds);

/// A C++ string of a Python `str`; throws the Python error if it has no UTF-8 form.
std::string to_text(PyObject* text);

/// Imports a module by its name.
py::object imported(const char* module);
/// A class of threadgroup_core._types.
py::object type_named(const char* name);
py::object to_python(const Reason& reason);
py::object to_python(const std::optional<Reason>& reason);
py::object to_python(TaskStatus status);
py::object to_python(WaitStatus status);
py::object to_python(const GroupStatistics& counts);
py::object to_python(const RunningTask& task);
py::object to_python(const std::optional<StopLatency>& latency);
py::object to_python(const JoinResult& result);
py::list to_python(const std::vector<Failure>& failures);
/// The Python exception behind a C++ one; one of the library's own becomes its Python counterpart.
py::object to_python(const std::exception_ptr& error);
/// The same for one that Python code has from here on: it need not be kept for anyone else.
py::object to_python_delivered(const std::exception_ptr& error);
/// Whether it is a `threadgroup_core.Stopped`.
bool is_python_stop(PyObject* exception) noexcept;
/// Raises it in Python: sets the error indicator.
void set_error(const std::exception_ptr& error) noexcept;
/// Sets the error indicator from the C++ exception that is being handled.
void set_error_from_current() noexcept;

/// What a Ctrl-C does: stops every group, with the reason `signal`.
void stop_all_groups();

/// Runs Python's signal handlers, on the main thread. If one raises KeyboardInterrupt, every group is
/// stopped. Throws what a handler raises.
void check_signals();

/// Calls `wait(duration)` without the interpreter's lock, until it says true or the time is up. On the main
/// thread that is done in slices, with a look at signals between them; elsewhere in one.
template <class Wait>
bool wait_interruptibly(Duration timeout, Wait&& wait) {
  constexpr Duration kSlice = Duration::from_nanos(20'000'000);
  if (!runtime::Flow::current().is_main()) return without_gil([&] { return wait(timeout); });
  const TimePoint deadline = runtime::after(timeout);
  for (;;) {
    const Duration left = deadline.is_never() ? Duration::max() : deadline - runtime::now();
    const bool last = left <= kSlice;
    if (without_gil([&] { return wait(last ? left : kSlice); })) return true;
    check_signals();
    if (last) return false;
  }
}

}  // namespace tg::python

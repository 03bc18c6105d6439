// SPDX-License-Identifier: Apache-2.0
// Values, errors and signals.
#include "convert.hpp"

#include <cmath>
#include <system_error>

#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/statistics.hpp>

namespace tg::python {

Duration to_duration(PyObject* seconds) {
  if (seconds == nullptr || seconds == Py_None) return Duration::max();
  double value = 0;
  if (PyObject_HasAttrString(seconds, "total_seconds") != 0) {
    value = py::handle(seconds).attr("total_seconds")().cast<double>();
  } else {
    value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  }
  if (std::isnan(value)) throw std::invalid_argument("a time in seconds cannot be NaN");
  return Duration(std::chrono::duration<double>(value));
}

py::object imported(const char* module) {
  PyObject* const object = PyImport_ImportModule(module);
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}
py::object type_named(const char* name) { return imported("threadgroup_core._types").attr(name); }

namespace {
double seconds(Duration d) { return static_cast<double>(d.nanos()) / 1e9; }

py::object raised_as(const char* type, const char* what) { return type_named(type)(what); }

// A message that begins with a C++ function's name: the Python one has the same, as a member.
std::string as_python_says(const char* what) {
  std::string text = what;
  if (text.starts_with("tg::")) text.erase(0, 4);
  const auto name_end = text.find_first_of(" :(");
  if (name_end != std::string::npos && text.compare(name_end, 2, "::") == 0) text.replace(name_end, 2, ".");
  return text;
}
}  // namespace

py::object to_python(const Reason& reason) {
  return type_named("Reason")(
      type_named("ReasonKind")(to_string(reason.kind)), reason.message, reason.origin.value,
      reason.origin_path, reason.task ? py::object(py::str(*reason.task)) : py::none(),
      to_python(reason.exception), reason.str(), reason.where.file, reason.where.line);
}
py::object to_python(const std::optional<Reason>& reason) { return reason ? to_python(*reason) : py::none(); }
py::object to_python(TaskStatus status) { return type_named("TaskStatus")(to_string(status)); }
py::object to_python(WaitStatus status) { return type_named("WaitStatus")(to_string(status)); }

py::object to_python(const GroupStatistics& c) {
  return type_named("GroupStatistics")(c.pending, c.running, c.succeeded, c.failed, c.stopped, c.skipped,
                                       c.threads, c.threads_wanted, c.thread_error, c.waiting_adders);
}

py::list to_python(const std::vector<Failure>& failures) {
  const py::object type = type_named("Failure");
  py::list list;
  for (const Failure& failure : failures) {
    list.append(type(failure.task, to_python_delivered(failure.exception)));
  }
  return list;
}

py::object to_python(const JoinResult& result) {
  py::list running;
  for (const RunningTask& task : result.running) running.append(to_python(task));
  return type_named("JoinResult")(result.timed_out, result.event_set, result.pending, running,
                                  to_python(result.failures), result.str(), to_python(result.counts),
                                  to_python(result.reason), to_python(result.stop));
}

py::object to_python(const RunningTask& task) {
  return type_named("RunningTask")(task.name, seconds(task.running_for), task.waits_for,
                                   seconds(task.waiting_for), task.note);
}

py::object to_python(const std::optional<StopLatency>& latency) {
  return latency ? type_named("StopLatency")(seconds(latency->time), latency->slowest_task) : py::none();
}

py::object to_python(const std::exception_ptr& error) {
  if (!error) return py::none();
  try {
    std::rethrow_exception(error);
  } catch (const PythonError& e) {
    return e.exception() != nullptr ? py::reinterpret_borrow<py::object>(e.exception()) : py::none();
  } catch (py::error_already_set& e) {
    return e.value();
  } catch (const TaskSkipped& e) {
    return raised_as("TaskSkipped", e.what());
  } catch (const WaitInterrupted& e) {
    return raised_as("WaitInterrupted", e.what());
  } catch (const Stopped& e) {
    return raised_as("Stopped", e.what());
  } catch (const NoGroupError& e) {
    return raised_as("NoGroupError", as_python_says(e.what()).c_str());
  } catch (const ForkedError& e) {
    return raised_as("ForkedError", as_python_says(e.what()).c_str());
  } catch (const std::system_error& e) {
    if (e.code() == std::errc::resource_deadlock_would_occur) return raised_as("DeadlockError", e.what());
    return py::reinterpret_borrow<py::object>(PyExc_RuntimeError)(e.what());
  } catch (const std::bad_alloc&) {
    return py::reinterpret_borrow<py::object>(PyExc_MemoryError)();
  } catch (const std::invalid_argument& e) {
    return py::reinterpret_borrow<py::object>(PyExc_ValueError)(as_python_says(e.what()));
  } catch (const std::overflow_error& e) {
    return py::reinterpret_borrow<py::object>(PyExc_OverflowError)(as_python_says(e.what()));
  } catch (const py::value_error& e) {
    return py::reinterpret_borrow<py::object>(PyExc_ValueError)(e.what());
  } catch (const py::type_error& e) {
    return py::reinterpret_borrow<py::object>(PyExc_TypeError)(e.what());
  } catch (const std::exception& e) {
    return py::reinterpret_borrow<py::object>(PyExc_RuntimeError)(e.what());
  } catch (...) {
    return py::reinterpret_borrow<py::object>(PyExc_RuntimeError)(describe_exception(error));
  }
}

py::object to_python_delivered(const std::exception_ptr& error) {
  py::object exception = to_python(error);
  try {
    std::rethrow_exception(error);
  } catch (const PythonError& e) {
    e.delivered();
  } catch (...) {
  }
  return exception;
}

bool is_python_stop(PyObject* exception) noexcept try {
  return PyObject_IsInstance(exception, type_named("Stopped").ptr()) == 1;
} catch (py::error_already_set&) {
  return false;
}

std::string to_text(PyObject* text) {
  Py_ssize_t size = 0;
  const char* const utf8 = PyUnicode_AsUTF8AndSize(text, &size);
  if (utf8 == nullptr) throw py::error_already_set();
  return {utf8, static_cast<std::size_t>(size)};
}

void set_error(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const PythonError& e) {
    e.restore();
  } catch (py::error_already_set& e) {
    e.restore();
  } catch (...) {
    try {
      const py::object exception = to_python(error);
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
    } catch (...) {  // Python could not make the exception: say what can be said without it
      PyErr_SetString(PyExc_RuntimeError, "threadgroup_core: an error could not be translated");
    }
  }
}

void set_error_from_current() noexcept { set_error(std::current_exception()); }

void stop_all_groups() {
  // Not the lock: skipping pending calls destroys Python objects, which takes it.
  without_gil(
      [] { ThreadEventsController::instance().set_all_events(ReasonKind::signal, "KeyboardInterrupt", {}); });
}

void check_signals() {
  if (calling_python([] { return PyErr_CheckSignals(); }) == 0) return;
  py::error_already_set error;
  if (error.matches(PyExc_KeyboardInterrupt)) stop_all_groups();
  throw error;
}

}  // namespace tg::python

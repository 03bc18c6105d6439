// SPDX-License-Identifier: Apache-2.0
// Shutting down: what waits does so without the interpreter's lock, as the tasks need it to end.
#include "shutdown.hpp"

#include <memory>
#include <optional>
#include <vector>

#include <threadgroup/duration.hpp>
#include <threadgroup/shutdown.hpp>
#include <threadgroup/snapshot.hpp>

#include "boxed.hpp"
#include "caller.hpp"
#include "group.hpp"
#include "waiting.hpp"

namespace tg::python {

namespace {

double seconds(Duration d) { return static_cast<double>(d.nanos()) / 1e9; }

py::object to_python(const ShutdownReport& report) {
  const py::object task_left = type_named("TaskLeft");
  py::list ran_over;
  for (const ShutdownReport::TaskLeft& left : report.ran_over) {
    ran_over.append(task_left(left.path, tg::python::to_python(left.task)));
  }
  return type_named("ShutdownReport")(report.drained, seconds(report.drain_took), seconds(report.stop_took),
                                      tg::python::to_python(report.counts),
                                      tg::python::to_python(report.slowest_stop), ran_over, report.str());
}

// A pair of times, as `ShutdownPlan` is one.
ShutdownPlan to_plan(PyObject* given) {
  ShutdownPlan plan;
  if (given == nullptr || given == Py_None) return plan;
  if (PyTuple_Check(given) == 0 || PyTuple_GET_SIZE(given) != 2)
    throw py::type_error("expected a ShutdownPlan");
  plan.drain = to_duration(PyTuple_GET_ITEM(given, 0));
  plan.stop = to_duration(PyTuple_GET_ITEM(given, 1));
  return plan;
}

template <class ShutDown>
PyObject* shut_down(PyObject* args, PyObject* named, ShutDown&& call) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"plan", nullptr};
    PyObject* given = nullptr;
    if (!parse(args, named, "|O:shut_down", names, &given)) return nullptr;
    const ShutdownPlan plan = to_plan(given);
    const SourceLocation where = python_caller();
    std::optional<ShutdownReport> report;
    wait_without_gil(
        EndedBy::stops,
        [&] {
          report = call(plan, where);
          return true;
        },
        [] {});
    return to_python(*report).release().ptr();
  });
}

PyObject* shut_down_all(PyObject*, PyObject* args, PyObject* named) {
  return shut_down(args, named, [](const ShutdownPlan& plan, const SourceLocation& where) {
    return ThreadEventsController::instance().shut_down(plan, where);
  });
}

// --- On signals ---

struct OwnedWatch {
  std::unique_ptr<SignalShutdown> watch;  // null: closed
  ~OwnedWatch() { close(); }
  void close() {
    if (watch != nullptr && interpreter_is_open()) without_gil([this] { watch.reset(); });
    // At the end of the process there is nothing to restore.
    static_cast<void>(watch.release());
  }
};
OwnedWatch& watch_of(PyObject* self) noexcept { return Boxed<OwnedWatch>::of(self); }

std::unique_ptr<SignalShutdown> start(const ShutdownPlan& plan, const std::vector<int>& s) {
  switch (s.size()) {  // C++ takes a list that is written down
    case 1:
      return std::make_unique<SignalShutdown>(plan, std::initializer_list<int>{s[0]});
    case 2:
      return std::make_unique<SignalShutdown>(plan, std::initializer_list<int>{s[0], s[1]});
    case 3:
      return std::make_unique<SignalShutdown>(plan, std::initializer_list<int>{s[0], s[1], s[2]});
    case 4:
      return std::make_unique<SignalShutdown>(plan, std::initializer_list<int>{s[0], s[1], s[2], s[3]});
    default:
      throw std::invalid_argument("SignalShutdown: give 1 to 4 signals");
  }
}

PyObject* watch_new(PyTypeObject* type, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    PyObject* plan = nullptr;
    PyObject* signals = nullptr;
    if (PyArg_ParseTuple(args, "OO!:_SignalWatch", &plan, &PyTuple_Type, &signals) == 0) return nullptr;
    std::vector<int> numbers;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(signals); ++i) {
      const long number = PyLong_AsLong(PyTuple_GET_ITEM(signals, i));
      if (number == -1 && PyErr_Occurred() != nullptr) return nullptr;
      numbers.push_back(static_cast<int>(number));
    }
    return Boxed<OwnedWatch>::make(type, start(to_plan(plan), numbers));
  });
}
PyObject* watch_close(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    watch_of(self).close();
    Py_RETURN_NONE;
  });
}
PyObject* watch_signal(PyObject* self, PyObject*) {
  const OwnedWatch& owned = watch_of(self);
  return PyLong_FromLong(owned.watch != nullptr ? owned.watch->signal() : 0);
}
PyObject* watch_report(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    const OwnedWatch& owned = watch_of(self);
    const std::optional<ShutdownReport> report =
        owned.watch != nullptr ? owned.watch->report() : std::nullopt;
    if (!report) Py_RETURN_NONE;
    return to_python(*report).release().ptr();
  });
}

PyMethodDef watch_methods[] = {{"close", &watch_close, METH_NOARGS, nullptr},
                               {"signal", &watch_signal, METH_NOARGS, nullptr},
                               {"report", &watch_report, METH_NOARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};
PyType_Slot watch_slots[] = {{Py_tp_doc, const_cast<char*>("What is below SignalShutdown.")},
                             {Py_tp_new, reinterpret_cast<void*>(&watch_new)},
                             {Py_tp_dealloc, reinterpret_cast<void*>(&Boxed<OwnedWatch>::destroy)},
                             {Py_tp_methods, watch_methods},
                             {0, nullptr}};
PyType_Spec watch_spec = {"threadgroup_core._SignalWatch", sizeof(Boxed<OwnedWatch>), 0, Py_TPFLAGS_DEFAULT,
                          watch_slots};

PyMethodDef functions[] = {{"shut_down", as_method(&shut_down_all), kNamed,
                            "shut_down($module, /, plan=None)\n--\n\n"
                            "Shut down all groups, as ThreadGroup.shut_down does for one. Not in a task."},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyObject* group_shut_down(PyObject* self, PyObject* args, PyObject* named) {
  return shut_down(args, named, [self](const ShutdownPlan& plan, const SourceLocation& where) {
    return core_of_group(self).shut_down(plan, where);
  });
}

bool init_shutdown(PyObject* module) {
  return PyModule_AddFunctions(module, functions) == 0 && add_type(module, "_SignalWatch", watch_spec);
}

}  // namespace tg::python

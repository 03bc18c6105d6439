// SPDX-License-Identifier: Apache-2.0
// The Python type of a group: adding, joining, waiting, and what happens when the object goes.
#include <memory>

#include <threadgroup/base/errors.hpp>

#include "condition.hpp"
#include "future.hpp"
#include "group.hpp"
#include "handle.hpp"

namespace tg::python {

namespace {

// A C++ group, and what its workers share on the Python side.
class Group {
 public:
  Group(std::string name, std::size_t bound, bool daemon, const std::string& on_failure,
        const py::object& time_limit) {
    GroupOptions options;
    options.max_concurrent_threads = bound;
    options.daemon = daemon;
    if (on_failure == "set_event") {
      options.on_failure = OnFailure::set_event;
    } else if (on_failure != "keep_going") {
      throw py::value_error("on_failure is 'keep_going' or 'set_event', not '" + on_failure + "'");
    }
    if (!time_limit.is_none()) options.time_limit = to_duration(time_limit.ptr());
    if (!interpreter_is_open())
      throw std::runtime_error("cannot make a group: the interpreter is shutting down");
    group_ = std::make_unique<ThreadGroup>(std::move(name), options);
    state_ = new GroupState(group_->name());
  }

  ThreadGroup& operator*() noexcept { return *group_; }
  ThreadGroup* operator->() noexcept { return group_.get(); }
  GroupState& state() noexcept { return *state_; }
  void set_thread_names(const std::string& prefix) { state_->name = prefix; }

  void go() noexcept;

 private:
  bool stop_and_wait() noexcept;
  std::unique_ptr<ThreadGroup> group_;
  GroupState* state_ = nullptr;
};

// The destructor of a C++ group waits without end. Here Ctrl-C must get through: then the group is left to
// the end of the process, which waits a bounded time. False in that case.
bool Group::stop_and_wait() noexcept {
  try {
    if (!runtime::Flow::current().is_main() || group_->statistics().idle()) return true;
    group_->set_event(ReasonKind::destroyed, "the group's object was destroyed", {});
    JoinResult result;
    wait_interruptibly(Duration::max(), [&](Duration slice) {
      result = group_->wait_idle(slice);
      return static_cast<bool>(result);
    });
    without_gil([&] { detail::report_unseen(group_->path(), result.failures); });
    return true;
  } catch (py::error_already_set& e) {
    if (e.matches(PyExc_KeyboardInterrupt)) {
      PyErr_SetInterrupt();  // it cannot be raised from here; the interpreter raises it as soon as it goes on
    } else {
      e.restore();
      PyErr_WriteUnraisable(nullptr);
    }
    return false;
  } catch (const ForkedError&) {
    return true;
  } catch (const std::exception& e) {
    PySys_FormatStderr("threadgroup_core: cannot end group '%s': %s\n", group_->name().c_str(), e.what());
    return false;
  }
}

void Group::go() noexcept {
  if (group_ == nullptr) return;
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  if (interpreter_is_open() && stop_and_wait()) {
    without_gil([this] { group_.reset(); });
  } else {
    (void)group_.release();  // left to the end of the process
  }
  state_->release();
  PyErr_Restore(type, value, trace);
}

struct GroupDeleter {
  void operator()(Group* group) const noexcept {
    group->go();
    delete group;
  }
};

// --- Adding: METH_FASTCALL by hand, for it is called once per task
// ---------------------------------------------------

Group* group_of(PyObject* self) {
  py::detail::make_caster<Group> caster;
  if (!caster.load(self, false)) throw py::type_error("not a ThreadGroup");
  return static_cast<Group*>(caster);
}

template <class F>
PyObject* add_guarded(const char* method, Py_ssize_t count, Py_ssize_t least, F&& f) noexcept {
  try {
    if (count < least) {
      PyErr_Format(PyExc_TypeError, "%s() is called with a callable and its arguments", method);
      return nullptr;
    }
    if (!interpreter_is_open()) {
      PyErr_SetString(PyExc_RuntimeError, "cannot add a task: the interpreter is shutting down");
      return nullptr;
    }
    return f();
  } catch (...) {
    set_error_from_current();
    return nullptr;
  }
}

bool check_callable(PyObject* callable) {
  if (PyCallable_Check(callable) != 0) return true;
  PyErr_Format(PyExc_TypeError, "the task is not callable: %R", callable);
  return false;
}

PyObject* group_add_task(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("add_task", count, 1, [&]() -> PyObject* {
    if (!check_callable(args[0])) return nullptr;
    Group& group = *group_of(self);
    return new_handle(group->add_task(PyCall(group.state(), args[0], nullptr, args + 1, count - 1, names)));
  });
}

PyObject* group_add_named_task(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("add_named_task", count, 2, [&]() -> PyObject* {
    const char* const name = PyUnicode_AsUTF8(args[0]);
    if (name == nullptr || !check_callable(args[1])) return nullptr;
    Group& group = *group_of(self);
    return new_handle(
        group->add_task(TaskName{name}, PyCall(group.state(), args[1], nullptr, args + 2, count - 2, names)));
  });
}

PyObject* group_post(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("post", count, 1, [&]() -> PyObject* {
    if (!check_callable(args[0])) return nullptr;
    Group& group = *group_of(self);
    group->post(PyCall(group.state(), args[0], nullptr, args + 1, count - 1, names));
    Py_RETURN_NONE;
  });
}

PyObject* group_submit(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("_submit", count, 1, [&]() -> PyObject* {
    Group& group = *group_of(self);
    Ref future = Ref::steal(new_future());
    if (future.get() == nullptr) return nullptr;
    set_task(future.get(),
             group->add_task(PyCall(group.state(), args[0], future.get(), args + 1, count - 1, names)));
    return future.release();
  });
}

PyCFunction as_function(PyObject* (*f)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}
PyMethodDef fast_methods[] = {
    {"add_task", as_function(&group_add_task), METH_FASTCALL | METH_KEYWORDS,
     "add_task(fn, /, *args, **kwargs) -> TaskHandle\n\nAdds a task: fn(*args, **kwargs), in a copy of the "
     "caller's "
     "context. Tasks start in the order in which one thread added them. If the event is set, the task is "
     "skipped at "
     "once."},
    {"add_named_task", as_function(&group_add_named_task), METH_FASTCALL | METH_KEYWORDS,
     "add_named_task(name, fn, /, *args, **kwargs) -> TaskHandle\n\nThe same, with a name for reports and "
     "errors."},
    {"post", as_function(&group_post), METH_FASTCALL | METH_KEYWORDS,
     "post(fn, /, *args, **kwargs) -> None\n\nThe same without a handle: cheaper. A result is dropped; a "
     "failure still "
     "reaches the join."},
    {"_submit", as_function(&group_submit), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

// --- Waiting
// ---------------------------------------------------------------------------------------------------------

JoinResult wait_idle(Group& group, const py::object& timeout) {
  JoinResult result;
  wait_interruptibly(to_duration(timeout.ptr()), [&](Duration slice) {
    result = group->wait_idle(slice);
    return result.event_set || static_cast<bool>(result);
  });
  return result;
}

py::object join(Group& group, const py::object& timeout) {
  JoinResult result = wait_idle(group, timeout);
  if (!result.failures.empty()) {
    const py::object error = py::module_::import("threadgroup_core._types")
                                 .attr("group_failures")(group->path(), to_python(result.failures));
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
    throw py::error_already_set();
  }
  return to_python(result);
}

py::object group_wait_for_condition(Group& group, const py::object& predicate, const py::object& timeout,
                                    const py::object& interval, bool stop_when_idle) {
  return to_python(wait_for_condition(
      predicate, to_duration(timeout.ptr()), to_duration(interval.ptr()), stop_when_idle,
      [&] {
        const GroupStatistics counts = group->statistics();
        return counts.done() + group.state().notices;
      },
      [&](Predicate p, Duration t, const ConditionOptions& o) {
        return group->wait_for_condition(p, t, o, {});
      }));
}

void exit_with(Group& group, const py::object& type, const py::object&, const py::object&) {
  if (!type.is_none()) {
    // What is on its way tells more than what the tasks raise now; that goes to the handler for unseen
    // failures.
    without_gil([&] { group->set_event("an exception left the with block"); });
    const JoinResult result = wait_idle(group, py::none());
    without_gil([&] { detail::report_unseen(group->path(), result.failures); });
  } else {
    join(group, py::none());
  }
}

}  // namespace

void init_group(py::module_& module) {
  py::class_<Group, std::unique_ptr<Group, GroupDeleter>> type(
      module, "ThreadGroup", py::dynamic_attr(),
      "A named group of tasks that block: at most so many run at a time, and all can be told to stop.\n\n"
      "A group made inside a task is a child of that task's group, and told to stop together with it. When "
      "the object "
      "goes, its tasks are told to stop and awaited. As a context manager it joins at the end of the block, "
      "and on an "
      "exception tells its tasks to stop first.");
  type.def(py::init<std::string, std::size_t, bool, const std::string&, const py::object&>(),
           py::arg("name") = "", py::arg("max_concurrent_threads") = 32, py::kw_only(),
           py::arg("daemon") = false, py::arg("on_failure") = "keep_going",
           py::arg("time_limit") = py::none())
      .def("join", &join, py::arg("timeout") = py::none(),
           "Wait until nothing is pending or running, then raise the failures that nobody has seen: one as "
           "itself, "
           "several as an exception group. After the timeout say what is left, and change nothing.")
      .def(
          "wait_idle",
          [](Group& group, const py::object& timeout) { return to_python(wait_idle(group, timeout)); },
          py::arg("timeout") = py::none(), "As join, but the failures are in the result and not raised.")
      .def(
          "wait_for_condition", &group_wait_for_condition, py::arg("predicate"),
          py::arg("timeout") = py::none(), py::arg("interval") = 0.1, py::arg("stop_when_idle") = true,
          "Wait until the predicate is true, and then tell the group to stop. It is looked at once at the "
          "start, "
          "whenever a task ends, at each notify(), at least every interval, and once at the end of the time.")
      .def(
          "notify",
          [](Group& group) {
            ++group.state().notices;
            without_gil([&] { group->notify(); });
          },
          "Have those who wait for a condition look again.")
      .def(
          "set_event",
          [](Group& group, std::string message) {
            return without_gil([&] { return group->set_event(std::move(message), SourceLocation{}); });
          },
          py::arg("message") = "",
          "Tell this group and all below it to stop. True if this call set the event.")
      .def(
          "set_event_for_child_tasks",
          [](Group& group, std::string message) {
            return without_gil([&] { return group->set_event(std::move(message), SourceLocation{}); });
          },
          py::arg("message") = "", "The same.")
      .def(
          "clear_pending",
          [](Group& group, std::string message) {
            return without_gil([&] { return group->clear_pending(std::move(message), SourceLocation{}); });
          },
          py::arg("message") = "",
          "Skip the tasks that have not begun, and say how many. Those that run are told nothing, and the "
          "group goes on.")
      .def(
          "event_is_set", [](Group& group) { return group->event_is_set(); },
          "Whether the group was told to stop.")
      .def_property_readonly(
          "reason", [](Group& group) { return to_python(group->reason()); },
          "Why the group was told to stop, if it was.")
      .def_property_readonly("name", [](Group& group) { return group->name(); })
      .def_property_readonly("id", [](Group& group) { return group->id().value; })
      .def_property_readonly(
          "path", [](Group& group) { return group->path(); },
          "Where it stands: 'MainThread/Verifying Users'.")
      .def_property_readonly("statistics", [](Group& group) { return to_python(group->statistics()); })
      .def("_set_thread_names", &Group::set_thread_names)
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", &exit_with)
      .def("__repr__", [](Group& group) {
        const GroupStatistics c = group->statistics();
        return "<ThreadGroup '" + group->path() + "' " + std::to_string(c.pending) + " pending, " +
               std::to_string(c.running) + " running, " + std::to_string(c.done()) + " done" +
               (group->event_is_set() ? ", told to stop>" : ">");
      });
  for (PyMethodDef* method = fast_methods; method->ml_name != nullptr; ++method) {
    const auto descriptor = py::reinterpret_steal<py::object>(
        PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), method));
    if (!descriptor) throw py::error_already_set();
    type.attr(method->ml_name) = descriptor;
  }
}

}  // namespace tg::python

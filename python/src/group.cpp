// SPDX-License-Identifier: Apache-2.0
// The Python type of a group: joining, waiting and stopping.
#include "group.hpp"

#include <algorithm>

#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/source_location.hpp>
#include <threadgroup/statistics.hpp>
#include <threadgroup/thread_group.hpp>

#include "adding.hpp"
#include "arguments.hpp"
#include "base/escaped.hpp"
#include "caller.hpp"
#include "condition.hpp"
#include "group_life.hpp"
#include "member.hpp"
#include "shutdown.hpp"

namespace tg::python {

namespace {

PyTypeObject* group_type = nullptr;

// --- Waiting ---

JoinResult wait_idle(PyObject* self, PyObject* timeout) {
  ThreadGroup& group = core_of_group(self);
  JoinResult result;
  wait_interruptibly(to_duration(timeout), [&](Duration slice) {
    result = group.wait_idle(slice);
    return result.event_set || static_cast<bool>(result);
  });
  return result;
}

PyObject* join(PyObject* self, PyObject* timeout) {
  JoinResult result = wait_idle(self, timeout);
  if (result.failures.empty()) return to_python(result).release().ptr();
  const py::object error =
      type_named("group_failures")(core_of_group(self).path(), to_python(result.failures));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  return nullptr;
}

PyObject* group_join(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    PyObject* timeout = nullptr;
    return parse_timeout(args, count, names, "join", timeout) ? join(self, timeout) : nullptr;
  });
}

PyObject* group_wait_idle(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    PyObject* timeout = nullptr;
    if (!parse_timeout(args, count, names, "wait_idle", timeout)) return nullptr;
    return to_python(wait_idle(self, timeout)).release().ptr();
  });
}

PyObject* group_wait_for_condition(PyObject* self, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    ConditionArguments given;
    if (!given.parse_from(args, named)) return nullptr;
    GroupObject& object = group_object(self);
    return to_python(wait_for_condition(
                         given, [&] { return object.group->statistics().done() + object.state->notices; },
                         [&](Predicate p, Duration t, const ConditionOptions& o) {
                           return object.group->wait_for_condition(p, t, o, given.where);
                         }))
        .release()
        .ptr();
  });
}

PyObject* group_notify(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    GroupObject& object = group_object(self);
    ++object.state->notices;
    without_gil([&] { object.group->notify(); });
    Py_RETURN_NONE;
  });
}

PyObject* group_enter(PyObject* self, PyObject*) {
  Py_INCREF(self);
  return self;
}

PyObject* group_exit(PyObject* self, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *kind = nullptr, *error = nullptr, *trace = nullptr;
    if (PyArg_ParseTuple(args, "OOO:__exit__", &kind, &error, &trace) == 0) return nullptr;
    if (kind != Py_None) {
      // The exception on its way tells more than what the tasks raise now; that goes to the handler for
      // unseen failures.
      ThreadGroup& group = core_of_group(self);
      const SourceLocation where = python_caller();
      without_gil([&] { group.set_event("an exception left the with block", where); });
      const JoinResult result = wait_idle(self, Py_None);
      without_gil([&] { detail::report_unseen(group.path(), result.failures); });
    } else if (const Ref joined = Ref::steal(join(self, Py_None)); joined.get() == nullptr) {
      return nullptr;
    }
    Py_RETURN_NONE;
  });
}

// --- Stopping ---

PyObject* set_event(PyObject* self, PyObject* args, PyObject* named, const char* format) {
  return guarded([&]() -> PyObject* {
    std::string message;
    if (!parse_message(args, named, format, message)) return nullptr;
    ThreadGroup& group = core_of_group(self);
    const SourceLocation where = python_caller();
    return PyBool_FromLong(without_gil([&] { return group.set_event(std::move(message), where); }));
  });
}
PyObject* group_set_event(PyObject* self, PyObject* args, PyObject* named) {
  return set_event(self, args, named, "|U:set_event");
}
PyObject* group_set_event_for_child_tasks(PyObject* self, PyObject* args, PyObject* named) {
  return set_event(self, args, named, "|U:set_event_for_child_tasks");
}

PyObject* group_clear_pending(PyObject* self, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    std::string message;
    if (!parse_message(args, named, "|U:clear_pending", message)) return nullptr;
    ThreadGroup& group = core_of_group(self);
    const SourceLocation where = python_caller();
    return PyLong_FromSize_t(without_gil([&] { return group.clear_pending(std::move(message), where); }));
  });
}

PyObject* group_event_is_set(PyObject* self, PyObject*) {
  return guarded([&] { return PyBool_FromLong(core_of_group(self).event_is_set()); });
}

PyObject* group_is_draining(PyObject* self, PyObject*) {
  return guarded([&] { return PyBool_FromLong(core_of_group(self).is_draining()); });
}

// --- Looking ---

// For a property: `value(group)` is a Python object.
template <class F>
PyObject* look(PyObject* self, F&& value) noexcept {
  return guarded([&] { return py::object(value(core_of_group(self))).release().ptr(); });
}
PyObject* group_reason(PyObject* self, void*) {
  return look(self, [](ThreadGroup& group) { return to_python(group.reason()); });
}
PyObject* group_stop_latency(PyObject* self, void*) {
  return look(self, [](ThreadGroup& group) { return to_python(group.stop_latency()); });
}
PyObject* group_name(PyObject* self, void*) {
  return look(self, [](ThreadGroup& group) { return py::str(group.name()); });
}
PyObject* group_id(PyObject* self, void*) {
  return look(self, [](ThreadGroup& group) { return py::int_(group.id().value); });
}
PyObject* group_path(PyObject* self, void*) {
  return look(self, [](ThreadGroup& group) { return py::str(group.path()); });
}
PyObject* group_statistics(PyObject* self, void*) {
  return look(self, [](ThreadGroup& group) { return to_python(group.statistics()); });
}
PyObject* group_repr(PyObject* self) {
  if (raw_object(self).group == nullptr) return PyUnicode_FromString("<ThreadGroup without __init__()>");
  return look(self, [](ThreadGroup& group) {
    const GroupStatistics c = group.statistics();
    return py::str("<ThreadGroup '" + detail::escaped(group.path()) + "' " + std::to_string(c.pending) +
                   " pending, " + std::to_string(c.running) + " running, " + std::to_string(c.done()) +
                   " done" + (group.event_is_set() ? ", stopped>" : ">"));
  });
}

PyObject* group_set_thread_names(PyObject* self, PyObject* prefix) {
  return guarded([&]() -> PyObject* {
    group_object(self).state->name = to_text(prefix);
    Py_RETURN_NONE;
  });
}

// Those that add tasks are put behind these.
constexpr std::size_t kMethods = 13;
PyMethodDef methods[kMethods + kAddingMethods + 1] = {
    {"join", as_method(&group_join), kFast,
     "join($self, /, timeout=None)\n--\n\n"
     "Wait until nothing is pending or running, then raise the failures that were not delivered yet: one as "
     "itself, several as an exception group. After the timeout say what is left, and change nothing."},
    {"wait_idle", as_method(&group_wait_idle), kFast,
     "wait_idle($self, /, timeout=None)\n--\n\n"
     "As join, but the failures are in the result and not raised."},
    {"wait_for_condition", as_method(&group_wait_for_condition), kNamed,
     "wait_for_condition($self, /, predicate, timeout=None, interval=0.1, stop_when_idle=True)\n--\n\n"
     "Wait until the predicate is true, and then stop the group. It is looked at once at the start, whenever "
     "a task ends, at each notify(), at least every interval, and once at the end of the time."},
    {"notify", &group_notify, METH_NOARGS,
     "notify($self, /)\n--\n\nHave those who wait for a condition look again."},
    {"set_event", as_method(&group_set_event), kNamed,
     "set_event($self, /, message='')\n--\n\n"
     "Stop this group and all below it. True if this call set the event."},
    {"set_event_for_child_tasks", as_method(&group_set_event_for_child_tasks), kNamed,
     "set_event_for_child_tasks($self, /, message='')\n--\n\nThe same."},
    {"clear_pending", as_method(&group_clear_pending), kNamed,
     "clear_pending($self, /, message='')\n--\n\n"
     "Skip the tasks that have not begun, and say how many. Running tasks are not affected, and the group "
     "is not stopped."},
    {"shut_down", as_method(&group_shut_down), kNamed,
     "shut_down($self, /, plan=None)\n--\n\n"
     "Shut down this group and all below it: first they finish what they have and take no task from outside, for "
     "`drain` seconds (0) at most; then they are stopped, and have `stop` seconds (5) to end. Returns a ShutdownReport, which "
     "names the tasks that run on."},
    {"is_draining", &group_is_draining, METH_NOARGS,
     "is_draining($self, /)\n--\n\nWhether it is being shut down, and takes no task from outside any more."},
    {"event_is_set", &group_event_is_set, METH_NOARGS,
     "event_is_set($self, /)\n--\n\nWhether the group was stopped."},
    {"_set_thread_names", &group_set_thread_names, METH_O, nullptr},
    {"__enter__", &group_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", &group_exit, METH_VARARGS, "__exit__($self, kind, error, traceback, /)\n--\n\n"}};

PyGetSetDef properties[] = {
    {"reason", &group_reason, nullptr, "Why the group was stopped, if it was.", nullptr},
    {"stop_latency", &group_stop_latency, nullptr,
     "How fast it was when it was stopped: a StopLatency. None if it was not, or if no task was running.",
     nullptr},
    {"name", &group_name, nullptr, "Its name; one that was empty was generated.", nullptr},
    {"id", &group_id, nullptr, "A number that no other group of the process has or had.", nullptr},
    {"path", &group_path, nullptr, "Where it is in the tree: 'MainThread/Verifying Users'.", nullptr},
    {"statistics", &group_statistics, nullptr, "Its counts at this moment.", nullptr},
    {"__dict__", &PyObject_GenericGetDict, &PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {
    {"__dictoffset__", TG_PY_SIZE_MEMBER, offsetof(GroupObject, dictionary), TG_PY_READONLY, nullptr},
    {"__weaklistoffset__", TG_PY_SIZE_MEMBER, offsetof(GroupObject, weak_references), TG_PY_READONLY,
     nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "ThreadGroup(name='', max_concurrent_threads=32, *, daemon=False, on_failure='keep_going', "
         "time_limit=None, max_pending=None, max_concurrent_in_subtree=None)\n--\n\n"
         "A named group of tasks that block: at most so many run at a time, and all can be stopped.\n\n"
         "A group made inside a task is a child of that task's group, and is stopped together with it. When "
         "the object goes, its tasks are stopped and awaited. As a context manager it joins at the end of "
         "the "
         "block, and on an exception stops its tasks first.")},
    {Py_tp_new, reinterpret_cast<void*>(&PyType_GenericNew)},
    {Py_tp_init, reinterpret_cast<void*>(&group_init)},
    {Py_tp_traverse, reinterpret_cast<void*>(&group_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&group_clear)},
    {Py_tp_finalize, reinterpret_cast<void*>(&group_finalize)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&group_dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_tp_members, members},
    {Py_tp_repr, reinterpret_cast<void*>(&group_repr)},
    {0, nullptr}};
PyType_Spec spec = {"threadgroup_core.ThreadGroup", sizeof(GroupObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};

}  // namespace

GroupObject& group_object(PyObject* self) {
  GroupObject& object = raw_object(self);
  if (object.group == nullptr) throw std::runtime_error("ThreadGroup.__init__() was not called");
  return object;
}

bool check_group(PyObject* object) noexcept {
  if (PyObject_TypeCheck(object, group_type) != 0) return true;
  PyErr_Format(PyExc_TypeError, "expected a ThreadGroup, not %.200s", Py_TYPE(object)->tp_name);
  return false;
}

bool init_group(PyObject* module) {
  std::copy_n(adding_methods, kAddingMethods, methods + kMethods);
  group_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return group_type != nullptr &&
         PyModule_AddObjectRef(module, "ThreadGroup", reinterpret_cast<PyObject*>(group_type)) == 0;
}

}  // namespace tg::python

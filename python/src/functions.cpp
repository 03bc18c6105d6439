// SPDX-License-Identifier: Apache-2.0
// The functions of the extension module.
#include "functions.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include <threadgroup/abandonable.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/metrics.hpp>
#include <threadgroup/posix.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/source_location.hpp>
#include <threadgroup/thread_utils.hpp>

#include "arguments.hpp"
#include "base/escaped.hpp"
#include "base/report.hpp"
#include "blocking.hpp"
#include "caller.hpp"
#include "condition.hpp"
#include "event/callers_task.hpp"
#include "event/wait_note.hpp"
#include "waiting.hpp"

namespace tg::python {

namespace {

// --- The caller's own group ---

PyObject* event_aware_sleep(PyObject*, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"duration", nullptr};
    PyObject* seconds = nullptr;
    if (!parse(args, named, "O:event_aware_sleep", names, &seconds)) return nullptr;
    const Duration whole = to_duration(seconds);
    const detail::WaitNote note("a time (event_aware_sleep)");
    return PyBool_FromLong(sleep_until_stopped(whole));
  });
}

PyObject* event_is_set(PyObject*, PyObject*) { return PyBool_FromLong(thread_utils::event_is_set()); }

PyObject* is_draining(PyObject*, PyObject*) { return PyBool_FromLong(thread_utils::is_draining()); }

PyObject* number_of_stop(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    const int fd = stop_descriptor();
    return fd < 0 ? nullptr : PyLong_FromLong(fd);
  });
}

// A Python call that may outlive its caller. Built under the interpreter's lock, destroyed anywhere.
struct AbandonableCall {
  Ref function;
  Ref args;
  Ref named;
};

Ref make_on_this_thread(const AbandonableCall& call) {
  const GilIfOpen gil;
  if (!gil) park_forever();
  Ref result = Ref::steal(
      calling_python([&] { return PyObject_Call(call.function.get(), call.args.get(), call.named.get()); }));
  if (result.get() == nullptr) throw PythonError::fetch();
  return result;
}

PyObject* abandonable_call(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    PyObject *name = nullptr, *function = nullptr, *args = nullptr, *named = nullptr;
    if (PyArg_ParseTuple(arguments, "UOO!O!:abandonable", &name, &function, &PyTuple_Type, &args,
                         &PyDict_Type, &named) == 0)
      return nullptr;
    if (detail::event_of_caller() == nullptr) return PyObject_Call(function, args, named);
    AbandonableCall call{Ref::borrow(function), Ref::borrow(args), Ref::borrow(named)};
    std::string text = to_text(name);
    Ref result;
    std::exception_ptr stopped;  // by a signal handler that raises, unless by a stop
    wait_without_gil(
        EndedBy::stops,
        [&] {
          try {
            result = abandonable(TaskName(std::move(text)), &make_on_this_thread, std::move(call));
          } catch (const Stopped&) {
            stopped = std::current_exception();
          }
          return stopped == nullptr;
        },
        [] {});
    if (stopped) std::rethrow_exception(stopped);
    return result.release();
  });
}

PyObject* throw_if_event_set(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    thread_utils::throw_if_event_set();
    Py_RETURN_NONE;
  });
}

PyObject* set_event(PyObject*, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    std::string message;
    if (!parse_message(args, named, "|U:set_event", message)) return nullptr;
    const SourceLocation where = python_caller();
    return PyBool_FromLong(without_gil([&] { return thread_utils::set_event(std::move(message), where); }));
  });
}

PyObject* reason(PyObject*, PyObject*) {
  return guarded([] { return to_python(thread_utils::reason()).release().ptr(); });
}

PyObject* wait_in_own_group(PyObject*, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    ConditionArguments given;
    if (!given.parse_from(args, named)) return nullptr;
    return to_python(wait_for_condition(
                         given, [] { return std::uint64_t{0}; },
                         [&](Predicate p, Duration t, const ConditionOptions& o) {
                           return thread_utils::wait_for_condition(p, t, o, given.where);
                         }))
        .release()
        .ptr();
  });
}

PyObject* notify(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    without_gil([] { thread_utils::notify(); });
    Py_RETURN_NONE;
  });
}

PyObject* note(PyObject*, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"text", nullptr};
    PyObject* text = nullptr;
    if (!parse(args, named, "U:note", names, &text)) return nullptr;
    thread_utils::note(to_text(text));
    Py_RETURN_NONE;
  });
}

PyObject* current_path(PyObject*, PyObject*) {
  return guarded([] { return py::str(thread_utils::current_path()).release().ptr(); });
}

// --- The forest ---

PyObject* set_all_events(PyObject*, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    std::string message;
    if (!parse_message(args, named, "|U:set_all_events", message)) return nullptr;
    const SourceLocation where = python_caller();
    without_gil([&] { thread_utils::set_all_events(std::move(message), where); });
    Py_RETURN_NONE;
  });
}

ForestSnapshot take_snapshot() {
  return without_gil([] { return ThreadEventsController::instance().snapshot(); });
}

PyObject* snapshot(PyObject*, PyObject*) {
  return guarded([] {
    const py::object type = type_named("NodeSnapshot");
    py::list nodes;
    for (const NodeSnapshot& node : take_snapshot().nodes) {
      nodes.append(type(node.id.value, node.parent ? py::object(py::int_(node.parent->value)) : py::none(),
                        node.depth, to_string(node.kind), node.name, node.event_is_set,
                        to_python(node.reason), to_python(node.counts)));
    }
    return nodes.release().ptr();
  });
}

PyObject* tree_text(PyObject*, PyObject*) {
  return guarded([] {
    return py::str(without_gil([] { return to_text(ThreadEventsController::instance().snapshot()); }))
        .release()
        .ptr();
  });
}

PyObject* dump_text(PyObject*, PyObject*) {
  return guarded([] { return py::str(without_gil([] { return dump(); })).release().ptr(); });
}

PyObject* metrics_text(PyObject*, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"format", "max_paths", nullptr};
    PyObject* format = nullptr;
    Py_ssize_t max_paths = static_cast<Py_ssize_t>(MetricsOptions().max_paths);
    if (!parse(args, named, "|Un:metrics_text", names, &format, &max_paths)) return nullptr;
    MetricsOptions options;
    const std::string chosen = format != nullptr ? to_text(format) : "prometheus";
    if (chosen == "open_metrics") options.format = MetricsFormat::open_metrics;
    else if (chosen != "prometheus")
      throw std::invalid_argument("metrics_text: format is 'prometheus' or 'open_metrics', not '" + chosen +
                                  "'");
    if (max_paths < 0) throw std::invalid_argument("metrics_text: max_paths is below zero");
    options.max_paths = static_cast<std::size_t>(max_paths);
    return py::str(without_gil([&] { return tg::metrics_text(options); })).release().ptr();
  });
}

// --- The end ---

PyObject* set_exit_grace(PyObject*, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"seconds", nullptr};
    PyObject* seconds = nullptr;
    if (!parse(args, named, "O:set_exit_grace", names, &seconds)) return nullptr;
    ThreadEventsController::instance().set_exit_grace(to_duration(seconds));
    Py_RETURN_NONE;
  });
}

PyObject* set_max_abandonable_calls(PyObject*, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"most", nullptr};
    Py_ssize_t most = 0;
    if (!parse(args, named, "n:set_max_abandonable_calls", names, &most)) return nullptr;
    // The library refuses 0.
    tg::set_max_abandonable_calls(most > 0 ? static_cast<std::size_t>(most) : 0);
    Py_RETURN_NONE;
  });
}

PyObject* set_destructor_warning(PyObject*, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"seconds", nullptr};
    PyObject* seconds = nullptr;
    if (!parse(args, named, "O:set_destructor_warning", names, &seconds)) return nullptr;
    ThreadEventsController::instance().set_destructor_warning(to_duration(seconds));
    Py_RETURN_NONE;
  });
}

PyObject* interrupted(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    stop_all_groups();
    Py_RETURN_NONE;
  });
}

// Stops all groups, and warns of what they had not begun.
PyObject* close(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    const ForestSnapshot before = take_snapshot();
    close_interpreter();
    const ForestSnapshot after = take_snapshot();
    for (const NodeSnapshot& node : after.nodes) {
      const auto same = std::find_if(before.nodes.begin(), before.nodes.end(),
                                     [&](const NodeSnapshot& other) { return other.id == node.id; });
      const std::size_t dropped =
          node.counts.skipped - (same != before.nodes.end() ? same->counts.skipped : 0);
      if (dropped > 0 &&
          PyErr_ResourceWarning(nullptr, 1,
                                "the process ended with %zu pending task%s in group '%s': join it first",
                                dropped, dropped == 1 ? "" : "s", node.name.c_str()) != 0) {
        report_unraisable(nullptr);
      }
    }
    Py_RETURN_NONE;
  });
}

PyObject* escaped(PyObject*, PyObject* text) {
  return guarded([&] { return py::str(detail::escaped(to_text(text))).release().ptr(); });
}

PyObject* unseen_handler = nullptr;  // under the interpreter's lock

void tell_unseen(const std::string& path, const Failure& failure) {
  GilIfOpen gil;
  if (!gil || unseen_handler == nullptr) {
    detail::report_line({"unseen failure: task '", failure.task, "' of group '", path, "' failed"});
  }
  if (!gil) return;
  const ErrorsSaved saved;
  const Ref handler = Ref::borrow(unseen_handler);
  calling_python([&] {
    try {
      const py::object exception = to_python_delivered(failure.exception);
      if (handler.get() != nullptr) py::handle(handler.get())(path, failure.task, exception);
    } catch (py::error_already_set& e) {
      e.restore();
      report_unraisable(handler.get());
    }
  });
}

PyObject* set_unseen_handler(PyObject*, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"handler", nullptr};
    PyObject* handler = nullptr;
    if (!parse(args, named, "O:set_unseen_failure_handler", names, &handler)) return nullptr;
    if (handler != Py_None && PyCallable_Check(handler) == 0) {
      PyErr_Format(PyExc_TypeError, "the handler is not callable: %R", handler);
      return nullptr;
    }
    Ref next = handler == Py_None ? Ref() : Ref::borrow(handler);
    PyObject* const before = std::exchange(unseen_handler, next.release());
    if (before != nullptr) return before;
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {
    {"event_aware_sleep", as_method(&event_aware_sleep), kNamed,
     "event_aware_sleep($module, /, duration)\n--\n\n"
     "Sleep, unless stopped. True: slept in full. False: the event is set, perhaps before the call. Outside "
     "a "
     "task it is a plain sleep, and True."},
    {"event_is_set", &event_is_set, METH_NOARGS,
     "event_is_set($module, /)\n--\n\n"
     "Whether the calling task's group was stopped. False where there is no group."},
    {"is_draining", &is_draining, METH_NOARGS,
     "is_draining($module, /)\n--\n\n"
     "Whether the calling task's group is being shut down, and takes no task from outside any more. A loop that "
     "accepts work ends then."},
    {"stop_fd", &number_of_stop, METH_NOARGS,
     "stop_fd($module, /)\n--\n\n"
     "A descriptor that becomes readable, and stays so, when the caller's innermost scope or group is stopped: for "
     "select and the event loops of other libraries. It is only for polling: neither read from it nor close it."},
    {"_abandonable", &abandonable_call, METH_VARARGS, nullptr},
    {"throw_if_event_set", &throw_if_event_set, METH_NOARGS,
     "throw_if_event_set($module, /)\n--\n\n"
     "Raise Stopped if the calling task's group was stopped: that leaves the task without making it a "
     "failure. "
     "Does nothing where there is no group."},
    {"set_event", as_method(&set_event), kNamed,
     "set_event($module, /, message='')\n--\n\n"
     "Stop the siblings, and everything below the group. Raises NoGroupError outside a task."},
    {"reason", &reason, METH_NOARGS,
     "reason($module, /)\n--\n\nWhy the calling task's group was stopped, if it was."},
    {"wait_for_condition", as_method(&wait_in_own_group), kNamed,
     "wait_for_condition($module, /, predicate, timeout=None, interval=0.1, stop_when_idle=True)\n--\n\n"
     "ThreadGroup.wait_for_condition on the calling task's own group. Raises NoGroupError outside a task."},
    {"notify", &notify, METH_NOARGS,
     "notify($module, /)\n--\n\n"
     "Have those who wait for a condition on the calling task's group look again."},
    {"set_all_events", as_method(&set_all_events), kNamed,
     "set_all_events($module, /, message='')\n--\n\nStop every group of the process."},
    {"note", as_method(&note), kNamed,
     "note($module, /, text)\n--\n\n"
     "Say how far the calling task is, until the next note or the end of the task: for snapshots, dump and reports of "
     "tasks that still run. An empty text removes the note. Outside of tasks it does nothing."},
    {"current_path", &current_path, METH_NOARGS,
     "current_path($module, /)\n--\n\n"
     "Where the caller is: 'MainThread/ThreadGroup2'; outside a task 'MainThread' or the thread's name."},
    {"snapshot", &snapshot, METH_NOARGS,
     "snapshot($module, /)\n--\n\nThe forest at this moment: each parent before its children."},
    {"tree_text", &tree_text, METH_NOARGS,
     "tree_text($module, /)\n--\n\nThe forest drawn as text, one line per group."},
    {"dump", &dump_text, METH_NOARGS,
     "dump($module, /)\n--\n\n"
     "All running tasks of the process in the forest, what each waits for and since when, and deadlocks that could not be "
     "refused: why does it hang?"},
    {"metrics_text", as_method(&metrics_text), kNamed,
     "metrics_text($module, /, format='prometheus', max_paths=100)\n--\n\n"
     "What the groups do, and how their tasks have ended, as text for Prometheus; format='open_metrics' for OpenMetrics. "
     "max_paths paths of groups have series of their own, and the others are summed up as '(other)'."},
    {"set_exit_grace", as_method(&set_exit_grace), kNamed,
     "set_exit_grace($module, /, seconds)\n--\n\n"
     "How long the end of the process waits for tasks that still run; 2 s unless set."},
    {"set_destructor_warning", as_method(&set_destructor_warning), kNamed,
     "set_destructor_warning($module, /, seconds)\n--\n\n"
     "How long the end of a group waits for tasks that still run before it names them on stderr; 5 s unless "
     "set, math.inf for never."},
    {"set_max_abandonable_calls", as_method(&set_max_abandonable_calls), kNamed,
     "set_max_abandonable_calls($module, /, most)\n--\n\n"
     "How many calls of thread_utils.abandonable may run at a time in the process, those that were left behind included; "
     "64 unless set. Further ones wait."},
    {"set_unseen_failure_handler", as_method(&set_unseen_handler), kNamed,
     "set_unseen_failure_handler($module, /, handler)\n--\n\n"
     "Replace what is called with (group path, task name, exception) for a failure that was not delivered "
     "when "
     "its group went away; None only names the task on stderr. Returns the one before."},
    {"_interrupted", &interrupted, METH_NOARGS,
     "_interrupted($module, /)\n--\n\nWhat a Ctrl-C does: stops every group, with the reason 'signal'."},
    {"_escaped", &escaped, METH_O,
     "_escaped($module, text, /)\n--\n\nThe text as it may be shown on a terminal."},
    {"_close", &close, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool init_functions(PyObject* module) {
  tg::set_unseen_failure_handler(&tell_unseen);
  return PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace tg::python

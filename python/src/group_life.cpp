// SPDX-License-Identifier: Apache-2.0
// Making a group's object, and what happens when it goes.
#include "group_life.hpp"

#include <memory>
#include <optional>

#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/options.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/scope.hpp>
#include <threadgroup/statistics.hpp>
#include <threadgroup/thread_group.hpp>

#include "arguments.hpp"
#include "tree/task_context.hpp"

namespace tg::python {

namespace {

// How many tasks of the group there are on the caller's stack.
std::size_t tasks_of_caller(const ThreadGroup& group) {
  const detail::TaskContext* const caller = detail::TaskContext::current();
  return caller != nullptr && caller->node->id() == group.id() ? caller->depth() : 0;
}

// Without the object as its source: a warning that is kept would bring it back.
void warn_of_dropped(PyObject* self, std::size_t pending, std::size_t running) {
  const std::string path = core_of_group(self).path();
  int said = 0;
  if (running > 0) {
    said = PyErr_ResourceWarning(
        nullptr, 1,
        "group '%s' was dropped with %zu pending and %zu running task%s, by a task that "
        "cannot wait for them: join it first",
        path.c_str(), pending, running, running == 1 ? "" : "s");
  } else if (pending > 0) {
    said = PyErr_ResourceWarning(nullptr, 1, "group '%s' was dropped with %zu pending task%s: join it first",
                                 path.c_str(), pending, pending == 1 ? "" : "s");
  }
  if (said != 0) report_unraisable(self);
}

// O3.
void tell_failures(PyObject* self) {
  GroupObject& object = raw_object(self);
  if (!object.state->errors.has_undelivered()) return;
  without_gil([&] { detail::report_unseen(object.group->path(), detail::take_failures(*object.group)); });
}

// The destructor of a C++ group waits without end. Here Ctrl-C must get through, as what `check_signals`
// throws.
//
// The last reference may go together with the group's own last task, and the garbage collector may come by in
// any task. That is no mistake of the program: what else runs then is stopped, and not awaited.
void stop_and_wait(PyObject* self) {
  ThreadGroup& group = core_of_group(self);
  const GroupStatistics before = group.statistics();
  if (before.idle()) return;
  without_gil([&] { group.set_event(ReasonKind::destroyed, "the group's object was destroyed", {}); });
  JoinResult result;
  std::size_t left_running = 0;
  try {
    const Shield although_stopped(Duration::max(), "the end of a group's object");
    wait_interruptibly(Duration::max(), [&](Duration slice) {
      result = group.wait_idle(slice);
      return static_cast<bool>(result);
    });
  } catch (const std::system_error&) {  // the caller is part of what would be waited for
    left_running = before.running - tasks_of_caller(group);
  }
  warn_of_dropped(self, group.statistics().skipped - before.skipped, left_running);
  without_gil([&] { detail::report_unseen(group.path(), result.failures); });
}

// None, or at least 1.
std::optional<std::size_t> to_bound(const char* name, PyObject* given) {
  if (given == nullptr || given == Py_None) return std::nullopt;
  const Py_ssize_t bound = PyNumber_AsSsize_t(given, PyExc_OverflowError);
  if (bound == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (bound >= 1) return static_cast<std::size_t>(bound);
  throw std::invalid_argument(std::string(name) + " is " + std::to_string(bound) +
                              "; give at least 1, or None");
}

}  // namespace

int group_init(PyObject* self, PyObject* args, PyObject* named) {
  const auto make = [&]() -> PyObject* {
    static const char* const names[] = {
        "name",        "max_concurrent_threads",    "daemon", "on_failure", "time_limit",
        "max_pending", "max_concurrent_in_subtree", nullptr};
    PyObject* name = nullptr;
    Py_ssize_t bound = 32;
    int daemon = 0;
    PyObject* on_failure = nullptr;
    PyObject* time_limit = nullptr;
    PyObject* max_pending = nullptr;
    PyObject* in_subtree = nullptr;
    if (!parse(args, named, "|Un$pUOOO:ThreadGroup", names, &name, &bound, &daemon, &on_failure, &time_limit,
               &max_pending, &in_subtree))
      return nullptr;
    GroupObject& object = raw_object(self);
    if (object.group != nullptr) throw std::logic_error("ThreadGroup.__init__() was called before");
    std::string shown = name != nullptr ? to_text(name) : std::string();
    if (bound < 0) {
      throw std::invalid_argument("ThreadGroup '" + shown + "': max_concurrent_threads is " +
                                  std::to_string(bound) + "; give at least 1");
    }
    GroupOptions options;
    options.max_concurrent_threads = static_cast<std::size_t>(bound);
    options.daemon = daemon != 0;
    if (on_failure != nullptr) {
      const std::string chosen = to_text(on_failure);
      if (chosen == "set_event") {
        options.on_failure = OnFailure::set_event;
      } else if (chosen != "keep_going") {
        throw std::invalid_argument("on_failure is 'keep_going' or 'set_event', not '" + chosen + "'");
      }
    }
    if (time_limit != nullptr && time_limit != Py_None) options.time_limit = to_duration(time_limit);
    options.max_pending = to_bound("max_pending", max_pending);
    options.max_concurrent_in_subtree = to_bound("max_concurrent_in_subtree", in_subtree);
    if (!interpreter_is_open())
      throw std::runtime_error("cannot make a group: the interpreter is shutting down");
    auto group = std::make_unique<ThreadGroup>(std::move(shown), options);
    object.state = new GroupState(group->name(), options);
    object.state->object = self;
    object.group = group.release();
    Py_RETURN_NONE;
  };
  const Ref made = Ref::steal(guarded(make));
  return made.get() != nullptr ? 0 : -1;
}

void group_finalize(PyObject* self) {
  GroupObject& object = raw_object(self);
  if (object.group == nullptr || !interpreter_is_open() || !object.state->is_of_this_process()) return;
  const ErrorsSaved saved;
  std::optional<py::error_already_set> raised;
  try {
    try {
      stop_and_wait(self);
    } catch (py::error_already_set& e) {
      raised.emplace(e);
    }
    tell_failures(self);
  } catch (const ForkedError&) {
  } catch (const std::exception& e) {
    object.is_left_to_exit = true;
    PySys_FormatStderr("threadgroup_core: cannot end group '%s': %s\n", object.group->name().c_str(),
                       e.what());
  }
  if (raised) {  // the end of the process takes care of the group, and waits a bounded time
    object.is_left_to_exit = true;
    raised->restore();
    report_unraisable(self);
  }
}

int group_traverse(PyObject* self, visitproc visit, void* arg) {
  const GroupObject& object = raw_object(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(object.dictionary);
  return object.state != nullptr ? object.state->errors.traverse(visit, arg) : 0;
}

int group_clear(PyObject* self) {
  Py_CLEAR(raw_object(self).dictionary);
  if (GroupState* const state = raw_object(self).state) state->errors.drop_delivered();
  return 0;
}

void group_dealloc(PyObject* self) {
  if (PyObject_CallFinalizerFromDealloc(self) != 0) return;  // a weak reference brought it back
  PyObject_GC_UnTrack(self);
  PyTypeObject* const type = Py_TYPE(self);
  GroupObject& object = raw_object(self);
  if (object.state != nullptr) object.state->object = nullptr;
  if (object.weak_references != nullptr) PyObject_ClearWeakRefs(self);
  {
    const ErrorsSaved saved;
    if (object.group != nullptr && interpreter_is_open() && !object.is_left_to_exit) {
      without_gil([&] { detail::destroy_where_it_falls(std::exchange(object.group, nullptr)); });
    }
    if (object.state != nullptr) {
      object.state->object_goes();
      object.state->errors.drop_delivered();
      object.state->release();
    }
    Py_CLEAR(object.dictionary);
  }
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace tg::python

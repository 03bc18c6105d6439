// SPDX-License-Identifier: Apache-2.0
// The extension module: what tasks ask of their own group, the forest, and the start and end of it all.
#include "condition.hpp"
#include "convert.hpp"
#include "future.hpp"
#include "group.hpp"
#include "handle.hpp"

#include <threadgroup/event/caller.hpp>

namespace tg::python {

namespace {

bool event_aware_sleep(const py::object& seconds) {
  const Duration whole = to_duration(seconds.ptr());
  if (detail::Event* const event = detail::event_of_caller()) return sleep_without_gil(*event, whole);
  wait_interruptibly(whole, [](Duration slice) {
    thread_utils::event_aware_sleep(slice);
    return false;
  });
  return true;
}

py::object wait_in_own_group(const py::object& predicate, const py::object& timeout,
                             const py::object& interval, bool stop_when_idle) {
  return to_python(wait_for_condition(
      predicate, to_duration(timeout.ptr()), to_duration(interval.ptr()), stop_when_idle,
      [] { return std::uint64_t{0}; },
      [](Predicate p, Duration t, const ConditionOptions& o) {
        return thread_utils::wait_for_condition(p, t, o, {});
      }));
}

py::list snapshot() {
  const ForestSnapshot forest = without_gil([] { return ThreadEventsController::instance().snapshot(); });
  const py::object type = type_named("NodeSnapshot");
  py::list nodes;
  for (const NodeSnapshot& node : forest.nodes) {
    nodes.append(type(node.id.value, node.parent ? py::object(py::int_(node.parent->value)) : py::none(),
                      node.depth, to_string(node.kind), node.name, node.event_is_set, to_python(node.reason),
                      to_python(node.counts)));
  }
  return nodes;
}

PyObject* unseen_handler = nullptr;  // under the interpreter's lock

void tell_unseen(const std::string& path, const Failure& failure) {
  GilIfOpen gil;
  if (!gil || unseen_handler == nullptr) {
    std::fprintf(stderr, "threadgroup: nobody saw that task '%s' of group '%s' failed\n",
                 failure.task.c_str(), path.c_str());
    return;
  }
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  calling_python([&] {
    try {
      py::reinterpret_borrow<py::object>(unseen_handler)(path, failure.task, to_python(failure.exception));
    } catch (py::error_already_set& e) {
      e.restore();
      PyErr_WriteUnraisable(unseen_handler);
    }
  });
  PyErr_Restore(type, value, trace);
}

py::object set_unseen_failure_handler(py::object handler) {
  PyObject* const before =
      std::exchange(unseen_handler, handler.is_none() ? nullptr : handler.release().ptr());
  return before != nullptr ? py::reinterpret_steal<py::object>(before) : py::none();
}

void define_functions(py::module_& module) {
  module.def("event_aware_sleep", &event_aware_sleep, py::arg("duration"),
             "Sleep, unless told to stop. True: slept in full. False: the event is set, perhaps before the "
             "call. Outside a "
             "task it is a plain sleep, and True.");
  module.def(
      "event_is_set", [] { return thread_utils::event_is_set(); },
      "Whether the calling task's group was told to stop. False where there is no group.");
  module.def(
      "set_event",
      [](std::string message) {
        return without_gil([&] { return thread_utils::set_event(std::move(message), SourceLocation{}); });
      },
      py::arg("message") = "",
      "Tell the siblings, and everything below the group, to stop. Raises NoGroupError outside a task.");
  module.def(
      "reason", [] { return to_python(thread_utils::reason()); },
      "Why the calling task's group was told to stop, if it was.");
  module.def(
      "wait_for_condition", &wait_in_own_group, py::arg("predicate"), py::arg("timeout") = py::none(),
      py::arg("interval") = 0.1, py::arg("stop_when_idle") = true,
      "ThreadGroup.wait_for_condition on the calling task's own group. Raises NoGroupError outside a task.");
  module.def(
      "notify", [] { without_gil([] { thread_utils::notify(); }); },
      "Have those who wait for a condition on the calling task's group look again.");
  module.def(
      "set_all_events",
      [](std::string message) {
        without_gil([&] { thread_utils::set_all_events(std::move(message), SourceLocation{}); });
      },
      py::arg("message") = "", "Tell every group of the process to stop.");
  module.def(
      "current_path", [] { return thread_utils::current_path(); },
      "Where the caller stands: 'MainThread/ThreadGroup2'; outside a task 'MainThread' or the thread's "
      "name.");
  module.def("snapshot", &snapshot, "The forest at this moment: each parent before its children.");
  module.def(
      "tree_text",
      [] { return without_gil([] { return to_text(ThreadEventsController::instance().snapshot()); }); },
      "The forest drawn as text, one line per group.");
  module.def(
      "set_exit_grace",
      [](const py::object& seconds) {
        ThreadEventsController::instance().set_exit_grace(to_duration(seconds.ptr()));
      },
      py::arg("seconds"), "How long the end of the process waits for tasks that still run; 2 s unless set.");
  module.def("set_unseen_failure_handler", &set_unseen_failure_handler, py::arg("handler"),
             "Replace what is called with (group path, task name, exception) for a failure that nobody saw "
             "when its group "
             "went away; None only names the task on stderr. Returns the one before.");
  module.def("_interrupted", &stop_all_groups,
             "What a Ctrl-C does: stops every group, with the reason 'signal'.");
  module.def("_close", &close_interpreter);
}

}  // namespace
}  // namespace tg::python

PYBIND11_MODULE(_core, module) {
  using namespace tg::python;
  module.doc() = "The C++ core of threadgroup_core; import that package instead.";
  py::register_exception_translator([](std::exception_ptr error) {
    if (error) set_error(error);
  });
  if (!init_gil() || !init_handle(module.ptr()) || !init_future(module.ptr())) throw py::error_already_set();
  init_group(module);
  define_functions(module);
  tg::set_unseen_failure_handler(&tell_unseen);
}

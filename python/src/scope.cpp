// SPDX-License-Identifier: Apache-2.0
// Scopes as context managers.
//
// In C++ a scope that is destroyed out of order, or on another thread, ends the process. In Python generators and
// threads make that easy to do by mistake, so it raises an error here, and the scope ends when the scopes inside it
// have ended.
//
// The entered scopes of a thread are a chain from `innermost`, in the order of the C++ scopes, and hold a reference to
// each other. Only their own thread adds and removes. A thread that uses the C++ scope of another thread is counted in
// `users`, and the scope ends when there is none.
#include "scope.hpp"

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/scope.hpp>

#include "boxed.hpp"
#include "caller.hpp"
#include "event/wait.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"

namespace tg::python {

namespace {

/// Under the interpreter's lock, except for what is said below.
struct OwnedScope {
  OwnedScope(const char* t, std::optional<Duration> d, std::string n)
      : type(t), time(d), name(std::move(n)) {}

  bool is_shield() const noexcept { return type[1] == 'h'; }
  std::string shown() const { return std::string(type) + (name.empty() ? "" : " '" + name + "'"); }
  bool set_event(std::string message, SourceLocation where);
  void keep_state();

  const char* const type;  // "StopScope" or "Shield"
  const std::optional<Duration> time;
  const std::string name;

  enum class State { made, entered, ended } state = State::made;
  bool ends_later = false;  // its block was left, but a scope inside was not
  std::optional<std::pair<std::string, SourceLocation>> early_stop;
  std::optional<StopScope> stop;  // made and destroyed by its thread
  std::optional<Shield> shield;   // likewise
  const detail::Scope* entered_as = nullptr;
  const runtime::Flow* flow = nullptr;
  std::uint32_t generation = 0;  // of the process in which it was entered
  PyObject* outer = nullptr;
  std::atomic<int> users{0};  // atomic: read by the wait for its end
  detail::WaitQueue no_users;

  // What there was to say when it ended.
  bool was_set = false;
  bool was_timed_out = false;
  std::optional<Reason> last_reason;
};

OwnedScope& of(PyObject* self) noexcept { return Boxed<OwnedScope>::of(self); }

thread_local PyObject* innermost = nullptr;  // owned

bool OwnedScope::set_event(std::string message, SourceLocation where) {
  if (state == State::ended) return false;
  if (state == State::made) {
    if (early_stop) return false;
    early_stop.emplace(std::move(message), where);
    return true;
  }
  users.fetch_add(1, std::memory_order_relaxed);
  const struct User {
    ~User() {
      if (scope.users.fetch_sub(1, std::memory_order_seq_cst) == 1) scope.no_users.release_all();
    }
    OwnedScope& scope;
  } user{*this};
  return without_gil([&] { return stop->set_event(std::move(message), where); });
}

void OwnedScope::keep_state() {
  if (!stop) return;
  was_set = stop->event_is_set();
  was_timed_out = stop->timed_out();
  last_reason = stop->reason();
}

// Ends the innermost scope of the calling thread.
void end_innermost() {
  const Ref self = Ref::steal(innermost);
  OwnedScope& scope = of(self.get());
  scope.keep_state();
  scope.state = OwnedScope::State::ended;
  if (scope.users.load(std::memory_order_relaxed) != 0) {
    without_gil([&] {
      static_cast<void>(detail::wait(
          scope.no_users, [&] { return scope.users.load(std::memory_order_seq_cst) == 0; }, {},
          TimePoint::never()));
    });
    scope.keep_state();
  }
  innermost = std::exchange(scope.outer, nullptr);
  // Not the lock: the end of a time limit may wait for a thread that skips pending calls, which takes it.
  without_gil([&] {
    scope.stop.reset();
    scope.shield.reset();
  });
}

// Whether the C++ side has no scope inside the innermost one of Python. The scopes of a forked child's parent are
// nothing to the C++ side.
bool may_end_innermost() {
  const OwnedScope& scope = of(innermost);
  return scope.generation != runtime::fork_generation() || runtime::Flow::current().scope == scope.entered_as;
}

void end_those_that_were_left() {
  while (innermost != nullptr && of(innermost).ends_later && may_end_innermost()) end_innermost();
}

PyObject* scope_enter(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    OwnedScope& scope = of(self);
    if (scope.state != OwnedScope::State::made) {
      PyErr_Format(PyExc_RuntimeError, "%s is entered once: make a new one", scope.shown().c_str());
      return nullptr;
    }
    end_those_that_were_left();
    if (scope.is_shield()) {
      scope.shield.emplace(*scope.time, scope.name);
    } else if (scope.time) {
      scope.stop.emplace(*scope.time, scope.name);
    } else {
      scope.stop.emplace(scope.name);
    }
    runtime::Flow& me = runtime::Flow::current();
    scope.entered_as = me.scope;
    scope.flow = &me;
    scope.generation = runtime::fork_generation();
    scope.state = OwnedScope::State::entered;
    Py_INCREF(self);
    scope.outer = std::exchange(innermost, self);
    if (scope.early_stop) scope.set_event(std::move(scope.early_stop->first), scope.early_stop->second);
    Py_INCREF(self);
    return self;
  });
}

PyObject* scope_exit(PyObject* self, PyObject* const*, Py_ssize_t) {
  return guarded([&]() -> PyObject* {
    OwnedScope& scope = of(self);
    if (scope.state != OwnedScope::State::entered || scope.ends_later) {
      PyErr_Format(PyExc_RuntimeError, "%s is left, but it %s", scope.shown().c_str(),
                   scope.state == OwnedScope::State::made ? "was not entered" : "has been left before");
      return nullptr;
    }
    if (scope.flow != &runtime::Flow::current()) {
      scope.ends_later = true;
      PyErr_Format(
          PyExc_RuntimeError,
          "%s is left on another thread than the one that entered it, where it is in force until that thread "
          "enters or leaves another scope",
          scope.shown().c_str());
      return nullptr;
    }
    if (innermost != self || !may_end_innermost()) {
      scope.ends_later = true;
      const std::string inside = innermost != self ? of(innermost).shown() : "a scope of C++ code";
      PyErr_Format(PyExc_RuntimeError,
                   "%s is left before %s, which was entered inside it; it is in force until that one is left",
                   scope.shown().c_str(), inside.c_str());
      return nullptr;
    }
    end_innermost();
    end_those_that_were_left();
    Py_RETURN_NONE;
  });
}

// --- StopScope ---

PyObject* stop_scope_new(PyTypeObject* type, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"time_limit", "name", nullptr};
    PyObject* limit = nullptr;
    PyObject* name = nullptr;
    if (!parse(args, named, "|OU:StopScope", names, &limit, &name)) return nullptr;
    std::optional<Duration> time;
    if (limit != nullptr && limit != Py_None) time = to_duration(limit);
    return Boxed<OwnedScope>::make(type, "StopScope", time, name != nullptr ? to_text(name) : std::string());
  });
}

PyObject* stop_scope_set_event(PyObject* self, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    std::string message;
    if (!parse_message(args, named, "|U:set_event", message)) return nullptr;
    return PyBool_FromLong(of(self).set_event(std::move(message), python_caller()));
  });
}
bool is_entered(const OwnedScope& scope) noexcept { return scope.state == OwnedScope::State::entered; }
PyObject* stop_scope_event_is_set(PyObject* self, PyObject*) {
  const OwnedScope& scope = of(self);
  return PyBool_FromLong(is_entered(scope) ? scope.stop->event_is_set() : scope.was_set);
}
PyObject* stop_scope_timed_out(PyObject* self, PyObject*) {
  const OwnedScope& scope = of(self);
  return PyBool_FromLong(is_entered(scope) ? scope.stop->timed_out() : scope.was_timed_out);
}
PyObject* stop_scope_reason(PyObject* self, void*) {
  return guarded([&] {
    const OwnedScope& scope = of(self);
    return to_python(is_entered(scope) ? scope.stop->reason() : scope.last_reason).release().ptr();
  });
}
PyObject* scope_name(PyObject* self, void*) {
  return guarded([&] { return py::str(of(self).name).release().ptr(); });
}

PyMethodDef stop_scope_methods[] = {
    {"set_event", as_method(&stop_scope_set_event), kNamed,
     "set_event($self, /, message='')\n--\n\n"
     "Stop what the block does; from any thread. True if this call set the event, False also after the block. Before "
     "the block it stops it as it begins."},
    {"event_is_set", &stop_scope_event_is_set, METH_NOARGS,
     "event_is_set($self, /)\n--\n\nWhether the scope, or anything around it, was stopped. After the block: before it "
     "ended."},
    {"timed_out", &stop_scope_timed_out, METH_NOARGS,
     "timed_out($self, /)\n--\n\nWhether it was stopped because its own time was up."},
    {"__enter__", &scope_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", as_method(&scope_exit), METH_FASTCALL, "__exit__($self, kind, error, traceback, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef stop_scope_properties[] = {
    {"reason", &stop_scope_reason, nullptr, "Why it was stopped, if it was.", nullptr},
    {"name", &scope_name, nullptr, "The name that was given.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot stop_scope_slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "StopScope(time_limit=None, name='')\n--\n\n"
         "Stops what its `with` block does: when its time is up, which counts from the beginning of the block, by "
         "set_event, and when anything around it is stopped.\n\n"
         "All event-aware calls of the thread listen to the innermost scope, and groups that are made in the block are "
         "below it. Nothing is raised at the end of the block: ask timed_out().")},
    {Py_tp_new, reinterpret_cast<void*>(&stop_scope_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&Boxed<OwnedScope>::destroy)},
    {Py_tp_methods, stop_scope_methods},
    {Py_tp_getset, stop_scope_properties},
    {0, nullptr}};
PyType_Spec stop_scope_spec = {"threadgroup_core.StopScope", sizeof(Boxed<OwnedScope>), 0, Py_TPFLAGS_DEFAULT,
                               stop_scope_slots};

// --- Shield ---

PyObject* shield_new(PyTypeObject* type, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"grace", "name", nullptr};
    PyObject* grace = nullptr;
    PyObject* name = nullptr;
    if (!parse(args, named, "O|U:Shield", names, &grace, &name)) return nullptr;
    return Boxed<OwnedScope>::make(type, "Shield", to_duration(grace),
                                   name != nullptr ? to_text(name) : std::string());
  });
}

PyMethodDef shield_methods[] = {
    {"__enter__", &scope_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", as_method(&scope_exit), METH_FASTCALL, "__exit__($self, kind, error, traceback, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef shield_properties[] = {{"name", &scope_name, nullptr, "The name that was given.", nullptr},
                                   {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot shield_slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "Shield(grace, name='')\n--\n\n"
         "Holds stops from outside back in its `with` block, so that a stopped task can clean up.\n\n"
         "The grace begins with the stop, or with the block if the stop was before. When it is over, the event-aware "
         "calls in the block are stopped, too. None is no limit.")},
    {Py_tp_new, reinterpret_cast<void*>(&shield_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&Boxed<OwnedScope>::destroy)},
    {Py_tp_methods, shield_methods},
    {Py_tp_getset, shield_properties},
    {0, nullptr}};
PyType_Spec shield_spec = {"threadgroup_core.Shield", sizeof(Boxed<OwnedScope>), 0, Py_TPFLAGS_DEFAULT,
                           shield_slots};

}  // namespace

ScopesOfTask::ScopesOfTask() noexcept : before_(innermost) {}

ScopesOfTask::~ScopesOfTask() {
  if (innermost == before_) return;
  const ErrorsSaved saved;
  while (innermost != before_ && innermost != nullptr && may_end_innermost()) {
    const OwnedScope& scope = of(innermost);
    const int said =
        scope.ends_later
            ? 0
            : PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                               "a task has ended in the block of %s, perhaps as a generator kept the block "
                               "open: the scope ends with the task",
                               scope.shown().c_str());
    if (said != 0) report_unraisable(innermost);
    end_innermost();
  }
}

bool init_scope(PyObject* module) {
  return add_type(module, "StopScope", stop_scope_spec) && add_type(module, "Shield", shield_spec);
}

}  // namespace tg::python

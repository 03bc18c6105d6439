// SPDX-License-Identifier: Apache-2.0
// Locks with the methods of `threading.Lock` and `threading.RLock`, whose waits can be stopped.
//
// A lock that is free is taken, whether the caller is stopped or not: code that cleans up takes locks, and does not
// expect to fail there. For the same reason a stopped caller waits for `kPatience` before it gives up, because most
// locks are held for microseconds, and a stop must not make those fail at random.
#include "lock.hpp"

#include <cstddef>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include <threadgroup/duration.hpp>
#include <threadgroup/mutex.hpp>

#include "arguments.hpp"
#include "boxed.hpp"
#include "member.hpp"
#include "runtime/flow.hpp"
#include "waiting.hpp"

namespace tg::python {

namespace {

constexpr Duration kPatience = Duration::from_nanos(20'000'000);
constexpr Duration kSlice = Duration::from_nanos(20'000'000);  // between looks at signals, in the main thread

struct LockObject {
  PyObject_HEAD PyObject* weak_references;
  // Nothing in a `Mutex` depends on the thread that unlocks it, which may be another one here, as in Python.
  Mutex mutex;
  // Of an RLock, under the interpreter's lock.
  std::uint64_t owner;
  unsigned long count;
};
LockObject& of(PyObject* self) noexcept { return *reinterpret_cast<LockObject*>(self); }

constexpr std::uint64_t kNone = ~std::uint64_t{0};
// Unlike the number of a thread it is not given to another one, and a forked child keeps it.
std::uint64_t me() noexcept { return PyThreadState_GetID(PyThreadState_Get()); }

PyObject* lock_new(PyTypeObject* type, PyObject* args, PyObject* named) {
  static const char* const names[] = {nullptr};
  if (!parse(args, named, ":Lock", names)) return nullptr;
  PyObject* const self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  LockObject& made = of(self);
  ::new (static_cast<void*>(&made.mutex)) Mutex;
  made.owner = kNone;
  made.count = 0;
  return self;
}

void lock_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  LockObject& lock = of(self);
  if (lock.weak_references != nullptr) PyObject_ClearWeakRefs(self);
  // Python programs may drop a lock that is locked. No thread waits for it: a waiter would have a reference.
  static_cast<void>(lock.mutex.try_lock());
  lock.mutex.unlock();
  lock.mutex.~Mutex();
  type->tp_free(self);
  Py_DECREF(type);
}

/// For its life no event ends the waits of the calling thread.
class NoEvent {
 public:
  NoEvent() noexcept : flow_(runtime::Flow::current()), event_(std::exchange(flow_.event, nullptr)) {}
  ~NoEvent() { flow_.event = event_; }
  NoEvent(const NoEvent&) = delete;
  NoEvent& operator=(const NoEvent&) = delete;

 private:
  runtime::Flow& flow_;
  detail::Event* const event_;
};

// Waits until the deadline at most. Throws what Python's signal handlers raise, on the main thread.
WaitOutcome wait(Mutex& mutex, TimePoint deadline, EndedBy ended_by) {
  const bool on_main = runtime::Flow::current().is_main();
  for (;;) {
    const Duration left = deadline.is_never() ? Duration::max() : deadline - runtime::now();
    const bool is_last = !on_main || left <= kSlice;
    const WaitOutcome outcome = without_gil([&] {
      std::optional<NoEvent> no_event;
      if (ended_by == EndedBy::nothing_else) no_event.emplace();
      return mutex.event_aware_lock(is_last ? left : kSlice);
    });
    if (outcome != WaitOutcome::timed_out) return outcome;
    if (on_main && calling_python([] { return PyErr_CheckSignals(); }) != 0) throw py::error_already_set();
    if (is_last) return WaitOutcome::timed_out;
  }
}

WaitOutcome lock_with_patience(Mutex& mutex, Duration timeout) {
  const TimePoint deadline = timeout.is_forever() ? TimePoint::never() : runtime::after(timeout);
  WaitOutcome outcome = wait(mutex, deadline, EndedBy::stops);
  if (outcome != WaitOutcome::event_set) return outcome;
  const TimePoint end_of_patience = runtime::after(kPatience);
  const bool comes_first = deadline.is_never() || end_of_patience < deadline;
  outcome = wait(mutex, comes_first ? end_of_patience : deadline, EndedBy::nothing_else);
  return outcome == WaitOutcome::timed_out && comes_first ? WaitOutcome::event_set : outcome;
}

struct HowLong {
  bool blocking = true;
  Duration timeout = Duration::max();
};

// The arguments of `acquire`, with the errors of `threading`.
bool parse_how_long(PyObject* const* args, Py_ssize_t count, PyObject* names, HowLong& how) {
  if (count == 0 && names == nullptr) return true;
  PyObject* given[2] = {nullptr, nullptr};
  const Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
  bool is_wrong = count + named > 2;
  for (Py_ssize_t i = 0; i < count && !is_wrong; ++i) given[i] = args[i];
  for (Py_ssize_t i = 0; i < named && !is_wrong; ++i) {
    PyObject* const name = PyTuple_GET_ITEM(names, i);
    const int place = PyUnicode_CompareWithASCIIString(name, "blocking") == 0  ? 0
                      : PyUnicode_CompareWithASCIIString(name, "timeout") == 0 ? 1
                                                                               : -1;
    is_wrong = place < 0 || given[place] != nullptr;
    if (!is_wrong) given[place] = args[count + i];
  }
  if (is_wrong) {
    PyErr_SetString(PyExc_TypeError, "acquire(blocking=True, timeout=-1)");
    return false;
  }
  if (given[0] != nullptr) {
    const int is_true = PyObject_IsTrue(given[0]);
    if (is_true < 0) return false;
    how.blocking = is_true != 0;
  }
  if (given[1] == nullptr) return true;
  const double seconds = PyFloat_AsDouble(given[1]);
  if (seconds == -1.0) return PyErr_Occurred() == nullptr;
  if (!how.blocking) {
    PyErr_SetString(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
  } else if (!(seconds >= 0)) {
    PyErr_SetString(PyExc_ValueError, "timeout value must be a non-negative number");
  } else if (seconds > 9223372036.0) {
    PyErr_SetString(PyExc_OverflowError, "timeout value is too large");
  } else {
    how.timeout = to_duration(given[1]);
    return true;
  }
  return false;
}

// --- Lock ---

// 1: locked; 0: not; -1 with an error set.
int acquire(LockObject& lock, const HowLong& how) {
  if (lock.mutex.try_lock()) return 1;
  if (!how.blocking || how.timeout <= Duration()) return 0;
  switch (lock_with_patience(lock.mutex, how.timeout)) {
    case WaitOutcome::ready:
      return 1;
    case WaitOutcome::event_set:
      raise_interrupted("a lock");
      return -1;
    default:
      return 0;
  }
}

PyObject* to_bool(int locked) noexcept { return locked < 0 ? nullptr : PyBool_FromLong(locked); }

bool release(LockObject& lock, const char* otherwise) {
  try {
    lock.mutex.unlock();
    return true;
  } catch (const std::system_error&) {
    PyErr_SetString(PyExc_RuntimeError, otherwise);
    return false;
  }
}

bool is_locked(LockObject& lock) {
  if (!lock.mutex.try_lock()) return true;
  lock.mutex.unlock();
  return false;
}

PyObject* none() noexcept {
  Py_INCREF(Py_None);
  return Py_None;
}

PyObject* lock_acquire(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    HowLong how;
    if (!parse_how_long(args, count, names, how)) return nullptr;
    return to_bool(acquire(of(self), how));
  });
}
PyObject* lock_enter(PyObject* self, PyObject*) {
  return guarded([&] { return to_bool(acquire(of(self), {})); });
}
PyObject* lock_release(PyObject* self, PyObject*) {
  return guarded([&] { return release(of(self), "release unlocked lock") ? none() : nullptr; });
}
PyObject* lock_exit(PyObject* self, PyObject* const*, Py_ssize_t) { return lock_release(self, nullptr); }
PyObject* lock_locked(PyObject* self, PyObject*) {
  return guarded([&] { return PyBool_FromLong(is_locked(of(self))); });
}
// The waits of a Condition: they end at once, and taking the lock back does not end.
PyObject* lock_wait(PyObject* self, PyObject* timeout) {
  return guarded([&]() -> PyObject* {
    const Duration whole = to_duration(timeout);
    const TimePoint deadline = whole.is_forever() ? TimePoint::never() : runtime::after(whole);
    const WaitOutcome outcome = wait(of(self).mutex, deadline, EndedBy::stops);
    if (outcome == WaitOutcome::event_set) return raise_interrupted("a condition");
    return PyBool_FromLong(outcome == WaitOutcome::ready);
  });
}
PyObject* lock_acquire_restore(PyObject* self, PyObject*) {
  return guarded([&] {
    if (!of(self).mutex.try_lock()) {
      without_gil([&] { of(self).mutex.lock(); });
    }
    return none();
  });
}
PyObject* reinit(PyObject* self, PyObject*) {
  // In a forked child: the threads that held it or waited for it are not there. It is not destroyed, for that is
  // reported of a lock in use.
  LockObject& lock = of(self);
  ::new (static_cast<void*>(&lock.mutex)) Mutex;
  lock.owner = kNone;
  lock.count = 0;
  return none();
}
PyObject* lock_repr(PyObject* self) {
  return guarded([&] {
    return PyUnicode_FromFormat("<%s %s object at %p>", is_locked(of(self)) ? "locked" : "unlocked",
                                Py_TYPE(self)->tp_name, self);
  });
}

PyMethodDef lock_methods[] = {
    {"acquire", as_method(&lock_acquire), kFast,
     "acquire($self, /, blocking=True, timeout=-1)\n--\n\n"
     "As threading.Lock.acquire. If the caller is stopped, a wait of more than 20 ms raises WaitInterrupted; a free "
     "lock is taken all the same."},
    {"release", &lock_release, METH_NOARGS, "release($self, /)\n--\n\nRelease the lock; from any thread."},
    {"locked", &lock_locked, METH_NOARGS, "locked($self, /)\n--\n\nWhether it is locked."},
    {"__enter__", &lock_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", as_method(&lock_exit), METH_FASTCALL, "__exit__($self, kind, error, traceback, /)\n--\n\n"},
    {"_wait", &lock_wait, METH_O, "_wait($self, timeout, /)\n--\n\n"},
    {"_release_save", &lock_release, METH_NOARGS, "_release_save($self, /)\n--\n\n"},
    {"_acquire_restore", &lock_acquire_restore, METH_O, "_acquire_restore($self, state, /)\n--\n\n"},
    {"_is_owned", &lock_locked, METH_NOARGS, "_is_owned($self, /)\n--\n\n"},
    {"_at_fork_reinit", &reinit, METH_NOARGS, "_at_fork_reinit($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyMemberDef members[] = {
    {"__weaklistoffset__", TG_PY_SIZE_MEMBER, offsetof(LockObject, weak_references), TG_PY_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot lock_slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "Lock()\n--\n\n"
         "A threading.Lock whose waits can be stopped. In a wait that lasts, a stopped caller gets a "
         "WaitInterrupted; it does not have the lock then.")},
    {Py_tp_new, reinterpret_cast<void*>(&lock_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&lock_dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(&lock_repr)},
    {Py_tp_methods, lock_methods},
    {Py_tp_members, members},
    {0, nullptr}};
PyType_Spec lock_spec = {"threadgroup_core._Lock", sizeof(LockObject), 0, Py_TPFLAGS_DEFAULT, lock_slots};

// --- RLock ---

int acquire_again(LockObject& lock, const HowLong& how) {
  const std::uint64_t caller = me();
  if (lock.owner == caller) {
    ++lock.count;
    return 1;
  }
  const int locked = acquire(lock, how);
  if (locked == 1) {
    lock.owner = caller;
    lock.count = 1;
  }
  return locked;
}

// True if the caller has it; else an error is set.
bool check_owned(const LockObject& lock) {
  if (lock.owner == me()) return true;
  PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
  return false;
}

PyObject* rlock_acquire(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    HowLong how;
    if (!parse_how_long(args, count, names, how)) return nullptr;
    return to_bool(acquire_again(of(self), how));
  });
}
PyObject* rlock_enter(PyObject* self, PyObject*) {
  return guarded([&] { return to_bool(acquire_again(of(self), {})); });
}
PyObject* rlock_release(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    LockObject& lock = of(self);
    if (!check_owned(lock)) return nullptr;
    if (--lock.count == 0) {
      lock.owner = kNone;
      lock.mutex.unlock();
    }
    return none();
  });
}
PyObject* rlock_exit(PyObject* self, PyObject* const*, Py_ssize_t) { return rlock_release(self, nullptr); }
PyObject* rlock_release_save(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    LockObject& lock = of(self);
    if (!check_owned(lock)) return nullptr;
    Ref state = Ref::steal(PyLong_FromUnsignedLong(lock.count));
    if (state.get() == nullptr) return nullptr;
    lock.count = 0;
    lock.owner = kNone;
    lock.mutex.unlock();
    return state.release();
  });
}
PyObject* rlock_acquire_restore(PyObject* self, PyObject* state) {
  return guarded([&]() -> PyObject* {
    const unsigned long count = PyLong_AsUnsignedLong(state);
    if (PyErr_Occurred() != nullptr) return nullptr;
    const Ref locked = Ref::steal(lock_acquire_restore(self, nullptr));
    if (locked.get() == nullptr) return nullptr;
    of(self).owner = me();
    of(self).count = count;
    return none();
  });
}
PyObject* rlock_is_owned(PyObject* self, PyObject*) { return PyBool_FromLong(of(self).owner == me()); }
PyObject* rlock_recursion_count(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLong(of(self).owner == me() ? of(self).count : 0);
}
PyObject* rlock_repr(PyObject* self) {
  const LockObject& lock = of(self);
  return PyUnicode_FromFormat("<%s %s object count=%lu at %p>", lock.count != 0 ? "locked" : "unlocked",
                              Py_TYPE(self)->tp_name, lock.count, self);
}

PyMethodDef rlock_methods[] = {
    {"acquire", as_method(&rlock_acquire), kFast,
     "acquire($self, /, blocking=True, timeout=-1)\n--\n\n"
     "As threading.RLock.acquire. If the caller is stopped, a wait of more than 20 ms raises WaitInterrupted; a free "
     "lock is taken all the same."},
    {"release", &rlock_release, METH_NOARGS,
     "release($self, /)\n--\n\nRelease the lock once; in the thread that has it."},
    {"__enter__", &rlock_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", as_method(&rlock_exit), METH_FASTCALL, "__exit__($self, kind, error, traceback, /)\n--\n\n"},
    {"_release_save", &rlock_release_save, METH_NOARGS, "_release_save($self, /)\n--\n\n"},
    {"_acquire_restore", &rlock_acquire_restore, METH_O, "_acquire_restore($self, state, /)\n--\n\n"},
    {"_is_owned", &rlock_is_owned, METH_NOARGS, "_is_owned($self, /)\n--\n\n"},
    {"_recursion_count", &rlock_recursion_count, METH_NOARGS, "_recursion_count($self, /)\n--\n\n"},
    {"_at_fork_reinit", &reinit, METH_NOARGS, "_at_fork_reinit($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot rlock_slots[] = {
    {Py_tp_doc,
     const_cast<char*>("RLock()\n--\n\nA threading.RLock whose waits can be stopped, as those of a Lock.")},
    {Py_tp_new, reinterpret_cast<void*>(&lock_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&lock_dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(&rlock_repr)},
    {Py_tp_methods, rlock_methods},
    {Py_tp_members, members},
    {0, nullptr}};
PyType_Spec rlock_spec = {"threadgroup_core._RLock", sizeof(LockObject), 0, Py_TPFLAGS_DEFAULT, rlock_slots};

}  // namespace

bool init_lock(PyObject* module) {
  return add_type(module, "_Lock", lock_spec) && add_type(module, "_RLock", rlock_spec);
}

}  // namespace tg::python

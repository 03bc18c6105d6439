// SPDX-License-Identifier: Apache-2.0
// Locks with the methods of `threading.Lock` and `threading.RLock`, whose waits can be stopped.
//
// A lock that is free is taken, whether the caller is stopped or not: code that cleans up takes locks, and does not
// expect to fail there. For the same reason a stopped caller gives up only after a while, because most locks are held
// for microseconds, and a stop must not make those fail at random. That while is not one of the clock alone: the caller
// has to come by the interpreter's lock `kLooks` times without seeing that the lock went to another owner. On a busy
// machine the holder, which may wait for the interpreter too, has its turns meanwhile; on an idle one it is 20 ms.
#include "lock.hpp"

#include <cstddef>
#include <new>
#include <system_error>
#include <utility>

#include <threadgroup/duration.hpp>
#include <threadgroup/mutex.hpp>

#include "arguments.hpp"
#include "boxed.hpp"
#include "how_long.hpp"
#include "member.hpp"
#include "waiting.hpp"

namespace tg::python {

namespace {

constexpr int kLooks = 5;
constexpr Duration kBetweenLooks = Duration::from_nanos(4'000'000);

struct LockObject {
  PyObject_HEAD PyObject* weak_references;
  // Nothing in a `Mutex` depends on the thread that unlocks it, which may be another one here, as in Python.
  Mutex mutex;
  // Under the interpreter's lock, as all that follows.
  std::uint64_t times_taken;
  // Of an RLock.
  std::uint64_t owner;
  unsigned long count;
};
LockObject& of(PyObject* self) noexcept { return *reinterpret_cast<LockObject*>(self); }

constexpr std::uint64_t kNone = ~std::uint64_t{0};
// As in Python. A thread of C code has a new thread state at each of its calls.
std::uint64_t me() noexcept { return PyThread_get_thread_ident(); }

PyObject* lock_new(PyTypeObject* type, PyObject* args, PyObject* named) {
  static const char* const names[] = {nullptr};
  if (!parse(args, named, ":Lock", names)) return nullptr;
  PyObject* const self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  LockObject& made = of(self);
  ::new (static_cast<void*>(&made.mutex)) Mutex;
  made.times_taken = 0;
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

// Throws what Python's signal handlers raise, on the main thread.
WaitOutcome wait(Mutex& mutex, Duration timeout) {
  WaitOutcome outcome = WaitOutcome::timed_out;
  wait_without_gil(
      EndedBy::stops, [&] { return (outcome = mutex.event_aware_lock(timeout)) == WaitOutcome::ready; },
      [&] { mutex.unlock(); }, OnInterrupt::only_raises);
  return outcome;
}

// Of a stopped caller.
WaitOutcome wait_patiently(LockObject& lock, Duration timeout) {
  std::uint64_t seen = lock.times_taken;
  int looks = 0;
  WaitOutcome outcome = WaitOutcome::timed_out;
  wait_with_looks(
      kBetweenLooks,
      [&] {
        if (std::exchange(seen, lock.times_taken) != lock.times_taken) looks = 0;
        return ++looks < kLooks;
      },
      [&] { return (outcome = lock.mutex.event_aware_lock(timeout)) == WaitOutcome::ready; },
      [&] { lock.mutex.unlock(); });
  return outcome;
}

WaitOutcome lock_with_patience(LockObject& lock, Duration timeout) {
  const TimePoint deadline = timeout.is_forever() ? TimePoint::never() : runtime::after(timeout);
  const WaitOutcome outcome = wait(lock.mutex, timeout);
  if (outcome != WaitOutcome::event_set) return outcome;
  return wait_patiently(lock, deadline.is_never() ? Duration::max() : deadline - runtime::now());
}

// --- Lock ---

// 1: locked; 0: not; -1 with an error set.
int acquire(LockObject& lock, const HowLong& how) {
  if (lock.mutex.try_lock()) {
    ++lock.times_taken;
    return 1;
  }
  if (!how.blocking || how.timeout <= Duration()) return 0;
  switch (lock_with_patience(lock, how.timeout)) {
    case WaitOutcome::ready:
      ++lock.times_taken;
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
    const WaitOutcome outcome = wait(of(self).mutex, to_duration(timeout));
    if (outcome == WaitOutcome::event_set) return raise_interrupted("a condition");
    return PyBool_FromLong(outcome == WaitOutcome::ready);
  });
}
// As in Python, a signal handler that raises ends this for a Lock, and nothing does for an RLock.
PyObject* lock_acquire_restore(PyObject* self, PyObject*) {
  return guarded([&] {
    LockObject& lock = of(self);
    if (!lock.mutex.try_lock()) lock_without_gil(lock.mutex, OnInterrupt::only_raises);
    ++lock.times_taken;
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
     "As threading.Lock.acquire. If the caller is stopped, a wait of some 20 ms raises WaitInterrupted; a free "
     "lock is taken all the same."},
    {"release", &lock_release, METH_NOARGS, "release($self, /)\n--\n\nRelease the lock; from any thread."},
    {"locked", &lock_locked, METH_NOARGS, "locked($self, /)\n--\n\nWhether it is locked."},
    // The old names.
    {"acquire_lock", as_method(&lock_acquire), kFast,
     "acquire_lock($self, /, blocking=True, timeout=-1)\n--\n\n"},
    {"release_lock", &lock_release, METH_NOARGS, "release_lock($self, /)\n--\n\n"},
    {"locked_lock", &lock_locked, METH_NOARGS, "locked_lock($self, /)\n--\n\n"},
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
    LockObject& lock = of(self);
    if (!lock.mutex.try_lock()) {
      without_gil([&] { lock.mutex.lock(); });
    }
    ++lock.times_taken;
    lock.owner = me();
    lock.count = count;
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
     "As threading.RLock.acquire. If the caller is stopped, a wait of some 20 ms raises WaitInterrupted; a free "
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

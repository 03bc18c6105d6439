// SPDX-License-Identifier: Apache-2.0
// Mutex, Semaphore, RateLimiter and every. What can be had at once is taken without giving the interpreter's lock away.
#include "primitives.hpp"

#include <cstdint>
#include <optional>
#include <utility>

#include <threadgroup/duration.hpp>
#include <threadgroup/every.hpp>
#include <threadgroup/mutex.hpp>
#include <threadgroup/rate_limiter.hpp>
#include <threadgroup/semaphore.hpp>
#include <threadgroup/thread_utils.hpp>

#include "boxed.hpp"
#include "waiting.hpp"

namespace tg::python {

namespace {

constexpr auto kNothingToUndo = [] {};

PyObject* enter(PyObject* self) noexcept {
  Py_INCREF(self);
  return self;
}

// --- Mutex ---

struct OwnedMutex {
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  ~OwnedMutex() {
    // Python programs may drop a lock that is locked. No thread waits for it: a waiter would have a reference.
    static_cast<void>(mutex.try_lock());
    mutex.unlock();
  }
  bool is_mine() const noexcept { return owner == me(); }
  void taken() noexcept { owner = me(); }
  // Unlike the number of a thread it is not given to another one.
  static std::uint64_t me() noexcept { return PyThreadState_GetID(PyThreadState_Get()); }

  Mutex mutex;
  std::uint64_t owner = kNone;  // under the interpreter's lock
};
OwnedMutex& mutex_of(PyObject* self) noexcept { return Boxed<OwnedMutex>::of(self); }

PyObject* mutex_new(PyTypeObject* type, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {nullptr};
    return parse(args, named, ":Mutex", names) ? Boxed<OwnedMutex>::make(type) : nullptr;
  });
}

bool check_not_mine(const OwnedMutex& mutex) {
  if (!mutex.is_mine()) return true;
  raise_again(type_named("DeadlockError")("the calling thread has locked this Mutex already").ptr());
  return false;
}

bool lock(OwnedMutex& owned) {
  if (!owned.mutex.try_lock()) {
    if (!check_not_mine(owned)) return false;
    lock_without_gil(owned.mutex);
  }
  owned.taken();
  return true;
}

bool unlock(OwnedMutex& owned) {
  if (!owned.is_mine()) {
    PyErr_SetString(PyExc_RuntimeError, "the calling thread has not locked this Mutex");
    return false;
  }
  owned.owner = OwnedMutex::kNone;
  owned.mutex.unlock();
  return true;
}

PyObject* mutex_lock(PyObject* self, PyObject*) {
  return guarded([&] { return lock(mutex_of(self)) ? none() : nullptr; });
}
PyObject* mutex_enter(PyObject* self, PyObject*) {
  return guarded([&] { return lock(mutex_of(self)) ? enter(self) : nullptr; });
}
PyObject* mutex_unlock(PyObject* self, PyObject*) {
  return guarded([&] { return unlock(mutex_of(self)) ? none() : nullptr; });
}
PyObject* mutex_try_lock(PyObject* self, PyObject*) {
  OwnedMutex& owned = mutex_of(self);
  const bool locked = owned.mutex.try_lock();
  if (locked) owned.taken();
  return PyBool_FromLong(locked);
}
PyObject* mutex_event_aware_lock(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    PyObject* given = nullptr;
    if (!parse_timeout(args, count, names, "event_aware_lock", given)) return nullptr;
    const Duration timeout = to_duration(given);
    OwnedMutex& owned = mutex_of(self);
    WaitOutcome outcome = owned.mutex.event_aware_lock(Duration());
    if (outcome == WaitOutcome::timed_out && timeout > Duration()) {
      if (!check_not_mine(owned)) return nullptr;
      wait_without_gil(
          EndedBy::stops,
          [&] { return (outcome = owned.mutex.event_aware_lock(timeout)) == WaitOutcome::ready; },
          [&] { owned.mutex.unlock(); });
    }
    if (outcome == WaitOutcome::ready) owned.taken();
    return to_object(outcome);
  });
}

PyMethodDef mutex_methods[] = {
    {"lock", &mutex_lock, METH_NOARGS,
     "lock($self, /)\n--\n\n"
     "Wait until the lock is free, and take it. A stop does not end this wait; Ctrl-C does. DeadlockError if the "
     "calling thread has it."},
    {"try_lock", &mutex_try_lock, METH_NOARGS,
     "try_lock($self, /)\n--\n\nTake the lock if it is free. Returns whether it did."},
    {"unlock", &mutex_unlock, METH_NOARGS,
     "unlock($self, /)\n--\n\nRelease the lock. RuntimeError unless the calling thread has it."},
    {"event_aware_lock", as_method(&mutex_event_aware_lock), kFast,
     "event_aware_lock($self, /, timeout=None)\n--\n\n"
     "Wait until the lock is free, and take it: WaitOutcome.READY. EVENT_SET if the caller is stopped, even if the "
     "lock is free; TIMED_OUT after the timeout."},
    {"__enter__", &mutex_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__",
     as_method(+[](PyObject* self, PyObject* const*, Py_ssize_t) { return mutex_unlock(self, nullptr); }),
     METH_FASTCALL, "__exit__($self, kind, error, traceback, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot mutex_slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "Mutex()\n--\n\n"
         "A lock whose waits can be stopped. `with mutex:` locks it, whether the caller is stopped or not.\n\n"
         "It is not recursive, and the thread that locked it unlocks it. Waiters are served in order once one has "
         "waited for a millisecond.")},
    {Py_tp_new, reinterpret_cast<void*>(&mutex_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&Boxed<OwnedMutex>::destroy)},
    {Py_tp_methods, mutex_methods},
    {0, nullptr}};
PyType_Spec mutex_spec = {"threadgroup_core.Mutex", sizeof(Boxed<OwnedMutex>), 0, Py_TPFLAGS_DEFAULT,
                          mutex_slots};

// --- Semaphore ---

Semaphore& semaphore_of(PyObject* self) noexcept { return Boxed<Semaphore>::of(self); }

PyObject* semaphore_new(PyTypeObject* type, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"permits", nullptr};
    Py_ssize_t permits = 0;
    if (!parse(args, named, "n:Semaphore", names, &permits)) return nullptr;
    return Boxed<Semaphore>::make(type, permits);
  });
}

WaitOutcome acquire(Semaphore& semaphore, Py_ssize_t permits, Duration timeout,
                    OnInterrupt on_interrupt = OnInterrupt::stops_groups) {
  WaitOutcome outcome = semaphore.acquire(permits, Duration());
  if (outcome != WaitOutcome::timed_out || timeout <= Duration()) return outcome;
  wait_without_gil(
      EndedBy::stops, [&] { return (outcome = semaphore.acquire(permits, timeout)) == WaitOutcome::ready; },
      [&] { semaphore.release(permits); }, on_interrupt);
  return outcome;
}

PyObject* semaphore_acquire(PyObject* self, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"permits", "timeout", nullptr};
    Py_ssize_t permits = 1;
    PyObject* timeout = nullptr;
    if (!parse(args, named, "|nO:acquire", names, &permits, &timeout)) return nullptr;
    return to_object(acquire(semaphore_of(self), permits, to_duration(timeout)));
  });
}
// For our SimpleQueue.
PyObject* semaphore_acquire_one(PyObject* self, PyObject* timeout) {
  return guarded([&] {
    return to_object(acquire(semaphore_of(self), 1, to_duration(timeout), OnInterrupt::only_raises));
  });
}
bool parse_permits(PyObject* args, PyObject* named, const char* format, Py_ssize_t& permits) {
  static const char* const names[] = {"permits", nullptr};
  return parse(args, named, format, names, &permits);
}
PyObject* semaphore_try_acquire(PyObject* self, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    Py_ssize_t permits = 1;
    if (!parse_permits(args, named, "|n:try_acquire", permits)) return nullptr;
    return PyBool_FromLong(semaphore_of(self).try_acquire(permits));
  });
}
PyObject* semaphore_release(PyObject* self, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    Py_ssize_t permits = 1;
    if (!parse_permits(args, named, "|n:release", permits)) return nullptr;
    semaphore_of(self).release(permits);
    return none();
  });
}
PyObject* semaphore_available(PyObject* self, PyObject*) {
  return PyLong_FromSsize_t(semaphore_of(self).available());
}
PyObject* semaphore_enter(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    if (acquire(semaphore_of(self), 1, Duration::max()) == WaitOutcome::ready) return enter(self);
    return raise_interrupted("a permit of a semaphore");
  });
}
PyObject* semaphore_exit(PyObject* self, PyObject* const*, Py_ssize_t) {
  return guarded([&] {
    semaphore_of(self).release();
    return none();
  });
}

PyMethodDef semaphore_methods[] = {
    {"acquire", as_method(&semaphore_acquire), kNamed,
     "acquire($self, /, permits=1, timeout=None)\n--\n\n"
     "Take the permits as soon as they are there and all earlier callers are served: WaitOutcome.READY. EVENT_SET if "
     "the caller is stopped, even if there are permits; TIMED_OUT after the timeout. Unless READY, nothing was taken."},
    {"_acquire_one", &semaphore_acquire_one, METH_O, nullptr},
    {"try_acquire", as_method(&semaphore_try_acquire), kNamed,
     "try_acquire($self, /, permits=1)\n--\n\n"
     "Take the permits if they are there and no caller waits. Returns whether it did."},
    {"release", as_method(&semaphore_release), kNamed,
     "release($self, /, permits=1)\n--\n\nAdd permits, and hand them to those who wait."},
    {"available", &semaphore_available, METH_NOARGS,
     "available($self, /)\n--\n\nHow many permits there are at this moment."},
    {"__enter__", &semaphore_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", as_method(&semaphore_exit), METH_FASTCALL,
     "__exit__($self, kind, error, traceback, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot semaphore_slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "Semaphore(permits)\n--\n\n"
         "A number of permits, whose waits can be stopped. Callers are served in order.\n\n"
         "`with semaphore:` holds one permit; in a stopped task it raises WaitInterrupted instead.")},
    {Py_tp_new, reinterpret_cast<void*>(&semaphore_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&Boxed<Semaphore>::destroy)},
    {Py_tp_methods, semaphore_methods},
    {0, nullptr}};
PyType_Spec semaphore_spec = {"threadgroup_core.Semaphore", sizeof(Boxed<Semaphore>), 0, Py_TPFLAGS_DEFAULT,
                              semaphore_slots};

// --- RateLimiter ---

RateLimiter& limiter_of(PyObject* self) noexcept { return Boxed<RateLimiter>::of(self); }

PyObject* limiter_new(PyTypeObject* type, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"per_second", "burst", nullptr};
    double per_second = 0;
    double burst = 0;
    if (!parse(args, named, "dd:RateLimiter", names, &per_second, &burst)) return nullptr;
    return Boxed<RateLimiter>::make(type, per_second, burst);
  });
}
PyObject* limiter_acquire(PyObject* self, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"tokens", "timeout", nullptr};
    double tokens = 1;
    PyObject* given = nullptr;
    if (!parse(args, named, "|dO:acquire", names, &tokens, &given)) return nullptr;
    const Duration timeout = to_duration(given);
    RateLimiter& limiter = limiter_of(self);
    WaitOutcome outcome = WaitOutcome::ready;
    if (thread_utils::event_is_set() || !limiter.try_acquire(tokens)) {
      // Tokens that were taken in the moment of a signal are lost, as time is.
      wait_without_gil(
          EndedBy::stops, [&] { return (outcome = limiter.acquire(tokens, timeout)) == WaitOutcome::ready; },
          kNothingToUndo);
    }
    return to_object(outcome);
  });
}
PyObject* limiter_try_acquire(PyObject* self, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"tokens", nullptr};
    double tokens = 1;
    if (!parse(args, named, "|d:try_acquire", names, &tokens)) return nullptr;
    return PyBool_FromLong(limiter_of(self).try_acquire(tokens));
  });
}

PyMethodDef limiter_methods[] = {
    {"acquire", as_method(&limiter_acquire), kNamed,
     "acquire($self, /, tokens=1, timeout=None)\n--\n\n"
     "Take the tokens as soon as they are there and all earlier callers are served: WaitOutcome.READY. EVENT_SET if "
     "the caller is stopped; TIMED_OUT after the timeout, or once it is clear that the time will not do."},
    {"try_acquire", as_method(&limiter_try_acquire), kNamed,
     "try_acquire($self, /, tokens=1)\n--\n\n"
     "Take the tokens if they are there and no caller waits. Returns whether it did."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot limiter_slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "RateLimiter(per_second, burst)\n--\n\n"
         "Lets so many tokens through in a second: a bucket of `burst` tokens, full at first, into which `per_second` "
         "tokens flow. Callers are served in order.")},
    {Py_tp_new, reinterpret_cast<void*>(&limiter_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&Boxed<RateLimiter>::destroy)},
    {Py_tp_methods, limiter_methods},
    {0, nullptr}};
PyType_Spec limiter_spec = {"threadgroup_core.RateLimiter", sizeof(Boxed<RateLimiter>), 0, Py_TPFLAGS_DEFAULT,
                            limiter_slots};

// --- every ---

struct OwnedTicks {
  explicit OwnedTicks(Duration interval) : ticks(interval) {}
  Ticks ticks;
  bool is_in_use = false;  // under the interpreter's lock
};

PyObject* every_new(PyTypeObject* type, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"interval", nullptr};
    PyObject* interval = nullptr;
    if (!parse(args, named, "O:every", names, &interval)) return nullptr;
    if (interval == Py_None) {
      PyErr_SetString(PyExc_TypeError, "every() needs an interval");
      return nullptr;
    }
    return Boxed<OwnedTicks>::make(type, to_duration(interval));
  });
}
PyObject* every_next(PyObject* self) {
  return guarded([&]() -> PyObject* {
    OwnedTicks& owned = Boxed<OwnedTicks>::of(self);
    if (std::exchange(owned.is_in_use, true)) {
      PyErr_SetString(PyExc_RuntimeError,
                      "another thread waits for the next tick of this every(): make one for each");
      return nullptr;
    }
    const struct Used {
      ~Used() { flag = false; }
      bool& flag;
    } used{owned.is_in_use};
    std::optional<TimePoint> tick;
    wait_without_gil(
        EndedBy::stops,
        [&] {
          tick = owned.ticks.next();
          return tick.has_value();
        },
        kNothingToUndo);
    if (!tick) return nullptr;  // no error set: the end of the loop
    return PyFloat_FromDouble(static_cast<double>(tick->nanos()) / 1e9);
  });
}

PyType_Slot every_slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "every(interval)\n--\n\n"
         "Ticks at a fixed rate: `for tick in every(1):`. The loop ends when the caller is stopped.\n\n"
         "A tick is the time at which it was due, as time.monotonic() tells it. The first one comes one interval after "
         "the call; ticks that the loop is too slow for are left out, except for one.")},
    {Py_tp_new, reinterpret_cast<void*>(&every_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&Boxed<OwnedTicks>::destroy)},
    {Py_tp_iter, reinterpret_cast<void*>(&PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(&every_next)},
    {0, nullptr}};
PyType_Spec every_spec = {"threadgroup_core.every", sizeof(Boxed<OwnedTicks>), 0, Py_TPFLAGS_DEFAULT,
                          every_slots};

}  // namespace

bool init_primitives(PyObject* module) {
  return add_type(module, "Mutex", mutex_spec) && add_type(module, "Semaphore", semaphore_spec) &&
         add_type(module, "RateLimiter", limiter_spec) && add_type(module, "every", every_spec);
}

}  // namespace tg::python

// SPDX-License-Identifier: Apache-2.0
// Whether the caller can be stopped, and waiting for descriptors until it is.
#include "blocking.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <unordered_set>
#include <vector>

#include <threadgroup/duration.hpp>
#include <threadgroup/posix.hpp>

#include "arguments.hpp"
#include "event/callers_task.hpp"
#include "event/wait_note.hpp"
#include "runtime/own_calls.hpp"
#include "waiting.hpp"

namespace tg::python {

namespace {

bool caller_is_stopped() noexcept {
  const detail::Event* const event = detail::event_of_caller();
  return event != nullptr && event->is_set();
}

// A note of a wait refers to text that lives as long as the program. What is waited for comes from constants of the
// package, so there is a limited number of them.
const char* keep(PyObject* what) {
  static auto* const texts =
      new std::unordered_set<std::string>;  // under the interpreter's lock; never destroyed
  return texts->emplace(to_text(what)).first->c_str();
}

PyObject* is_covered(PyObject*, PyObject*) { return PyBool_FromLong(detail::event_of_caller() != nullptr); }

PyObject* raise_if_stopped(PyObject*, PyObject* what) {
  if (!caller_is_stopped()) Py_RETURN_NONE;
  return guarded([&] { return raise_interrupted(to_text(what).c_str()); });
}

// Not for what is non-blocking, and not for files on a disk, which the kernel does not let wait for another program.
PyObject* may_wait(PyObject*, PyObject* given) {
  const int fd = PyObject_AsFileDescriptor(given);
  if (fd < 0) return nullptr;
  struct stat about {};
  const int flags = ::fcntl(fd, F_GETFL);
  const bool is_stream = flags >= 0 && (flags & O_NONBLOCK) == 0 && ::fstat(fd, &about) == 0 &&
                         (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode) || S_ISCHR(about.st_mode));
  return PyBool_FromLong(is_stream);
}

// False with an error set if it is no sequence of (descriptor, events).
bool parse_polled(PyObject* given, std::vector<pollfd>& polled) {
  const Ref pairs = Ref::steal(PySequence_Fast(given, "_poll() takes a sequence of (descriptor, events)"));
  if (pairs.get() == nullptr) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(pairs.get()); ++i) {
    pollfd one{};
    if (PyArg_ParseTuple(PySequence_Fast_GET_ITEM(pairs.get(), i), "ih:_poll", &one.fd, &one.events) == 0)
      return false;
    polled.push_back(one);
  }
  return true;
}

// The milliseconds that `poll` may take, rounded up, so that it does not return early only to be called again.
int millis_until(TimePoint deadline) noexcept {
  if (deadline.is_never()) return -1;
  constexpr std::int64_t kNanos = 1'000'000;
  constexpr std::int64_t kMost = 1'000'000'000;
  const std::int64_t left = (deadline - runtime::now()).nanos();
  if (left <= 0) return 0;
  return static_cast<int>(left / kNanos >= kMost ? kMost : (left + kNanos - 1) / kNanos);
}

PyObject* to_list(const std::vector<pollfd>& polled) {
  Ref ready = Ref::steal(PyList_New(0));
  if (ready.get() == nullptr) return nullptr;
  for (std::size_t i = 0; i + 1 < polled.size(); ++i) {  // the last one is that of the stop
    if (polled[i].revents == 0) continue;
    const Ref pair = Ref::steal(Py_BuildValue("(ii)", polled[i].fd, static_cast<int>(polled[i].revents)));
    if (pair.get() == nullptr || PyList_Append(ready.get(), pair.get()) != 0) return nullptr;
  }
  return ready.release();
}

PyObject* poll_until_stopped(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return guarded([&]() -> PyObject* {
    if (count != 3) {
      PyErr_SetString(PyExc_TypeError, "_poll(pairs, timeout, what)");
      return nullptr;
    }
    std::vector<pollfd> polled;
    if (!parse_polled(args[0], polled)) return nullptr;
    const Duration timeout = to_duration(args[1]);
    const char* const what = keep(args[2]);
    const TimePoint deadline = timeout.is_forever() ? TimePoint::never() : runtime::after(timeout);
    if (caller_is_stopped()) return raise_interrupted(what);
    polled.push_back({without_gil([] { return stop_fd(); }), POLLIN, 0});
    for (;;) {
      const int millis = millis_until(deadline);
      int error = 0;
      const int ready = without_gil([&] {
        const detail::WaitNote note(what);
        const int result = runtime::own::poll(polled.data(), polled.size(), millis);
        error = errno;
        return result;
      });
      if (ready < 0 && error != EINTR) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
      }
      // Python's signal handlers run in the main thread.
      if (ready < 0 && calling_python([] { return PyErr_CheckSignals(); }) != 0) return nullptr;
      if (ready > 0) {
        const bool only_stopped = ready == 1 && polled.back().revents != 0;
        return only_stopped ? raise_interrupted(what) : to_list(polled);
      }
      if (ready == 0 && !deadline.is_never() && runtime::now() >= deadline) return PyList_New(0);
    }
  });
}

PyMethodDef functions[] = {
    {"_is_covered", &is_covered, METH_NOARGS,
     "_is_covered($module, /)\n--\n\nWhether the caller is in a task or a scope, so that it can be stopped."},
    {"_raise_if_stopped", &raise_if_stopped, METH_O,
     "_raise_if_stopped($module, what, /)\n--\n\nRaise WaitInterrupted if the caller is stopped."},
    {"_may_wait", &may_wait, METH_O,
     "_may_wait($module, fd, /)\n--\n\nWhether a read or write may wait for another program; False if it is closed."},
    {"_poll", as_method(&poll_until_stopped), METH_FASTCALL,
     "_poll($module, pairs, timeout, what, /)\n--\n\n"
     "Wait until one of the pairs (descriptor, events) is ready, and return those that are, or none after the "
     "timeout. WaitInterrupted if the caller is stopped. `what` is for that and for snapshots."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool init_blocking(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace tg::python

// SPDX-License-Identifier: Apache-2.0
// Whether the caller can be stopped, and waiting for descriptors until it is.
#include "blocking.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <unordered_set>
#include <vector>

#include <threadgroup/duration.hpp>
#include <threadgroup/posix.hpp>
#include <threadgroup/thread_utils.hpp>

#include "arguments.hpp"
#include "event/callers_task.hpp"
#include "event/wait_note.hpp"
#include "runtime/own_calls.hpp"
#include "waiting.hpp"

namespace tg::python {

namespace {

// A note of a wait refers to text that lives as long as the program. What is waited for comes from constants of the
// package, so there is a limited number of them.
const char* keep(PyObject* what) {
  static auto* const texts =
      new std::unordered_set<std::string>;  // under the interpreter's lock; never destroyed
  return texts->emplace(to_text(what)).first->c_str();
}

PyObject* is_covered(PyObject*, PyObject*) { return PyBool_FromLong(detail::event_of_caller() != nullptr); }

PyObject* raise_if_stopped(PyObject*, PyObject* what) {
  if (!thread_utils::event_is_set()) Py_RETURN_NONE;
  return guarded([&] { return raise_interrupted(to_text(what).c_str()); });
}

// Not for what is non-blocking, and not for files on a disk, which the kernel does not let wait for another program.
// Not for what is no descriptor either: the original call says what is wrong.
PyObject* may_wait(PyObject*, PyObject* given) {
  const int fd = static_cast<int>(PyLong_AsLong(given));
  if (PyErr_Occurred() != nullptr) PyErr_Clear();
  struct stat about {};
  const int flags = ::fcntl(fd, F_GETFL);
  const bool is_stream = flags >= 0 && (flags & O_NONBLOCK) == 0 && ::fstat(fd, &about) == 0 &&
                         (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode) || S_ISCHR(about.st_mode) ||
                          (about.st_mode & S_IFMT) == 0);  // eventfd, timerfd, inotify and their like
  return PyBool_FromLong(is_stream);
}

// False with an error set if it is no sequence of (descriptor, events).
bool parse_polled(PyObject* given, std::vector<pollfd>& polled) {
  const Ref pairs = Ref::steal(PySequence_Fast(given, "_poll() takes a sequence of (descriptor, events)"));
  if (pairs.get() == nullptr) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(pairs.get()); ++i) {
    int fd = -1;
    unsigned short events = 0;
    if (PyArg_ParseTuple(PySequence_Fast_GET_ITEM(pairs.get(), i), "iH:_poll", &fd, &events) == 0)
      return false;
    polled.push_back({fd, static_cast<short>(events), 0});
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
    const Ref pair = Ref::steal(Py_BuildValue(
        "(ii)", polled[i].fd, static_cast<int>(static_cast<unsigned short>(polled[i].revents))));
    if (pair.get() == nullptr || PyList_Append(ready.get(), pair.get()) != 0) return nullptr;
  }
  return ready.release();
}

PyObject* poll_until_stopped(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return guarded([&]() -> PyObject* {
    if (count != 4) {
      PyErr_SetString(PyExc_TypeError, "_poll(pairs, timeout, what, shown)");
      return nullptr;
    }
    const int shown = static_cast<int>(PyLong_AsLong(args[3]));
    if (shown == -1 && PyErr_Occurred() != nullptr) return nullptr;
    std::vector<pollfd> polled;
    if (!parse_polled(args[0], polled)) return nullptr;
    const Duration timeout = to_duration(args[1]);
    const char* const what = keep(args[2]);
    const TimePoint deadline = timeout.is_forever() ? TimePoint::never() : runtime::after(timeout);
    if (thread_utils::event_is_set()) return raise_interrupted(what);
    const int stop = stop_descriptor();
    if (stop < 0) {  // what is ready can be had all the same
      if (runtime::own::poll(polled.data(), polled.size(), 0) <= 0) return nullptr;
      PyErr_Clear();
      polled.push_back({});
      return to_list(polled);
    }
    polled.push_back({stop, POLLIN, 0});
    for (;;) {
      const int millis = millis_until(deadline);
      int error = 0;
      const int ready = without_gil([&] {
        const detail::WaitNote note(what, shown);
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
        if (ready > 1 || polled.back().revents == 0) return to_list(polled);
        if (thread_utils::event_is_set()) return raise_interrupted(what);
        const std::string text = "the program has closed descriptor " + std::to_string(stop) +
                                 ", which tells of a stop; without it the call cannot wait";
        const Ref gone = Ref::steal(Py_BuildValue("(is)", EBADF, text.c_str()));
        if (gone.get() != nullptr) PyErr_SetObject(PyExc_OSError, gone.get());
        return nullptr;
      }
      if (ready == 0 && !deadline.is_never() && runtime::now() >= deadline) return PyList_New(0);
    }
  });
}

// What there is to read. BlockingIOError if that is nothing yet.
PyObject* read_now(PyObject*, PyObject* args) {
  int fd = -1;
  Py_ssize_t length = 0;
  if (PyArg_ParseTuple(args, "in:_read_now", &fd, &length) == 0) return nullptr;
  return guarded([&]() -> PyObject* {
    PyObject* bytes = PyBytes_FromStringAndSize(nullptr, length);
    if (bytes == nullptr) return nullptr;
    const iovec room{PyBytes_AS_STRING(bytes), static_cast<std::size_t>(length)};
    int error = 0;
    const ssize_t count = without_gil([&] {
      const ssize_t result = ::preadv2(fd, &room, 1, -1, RWF_NOWAIT);
      error = errno;
      return result;
    });
    if (count < 0) {
      Py_DECREF(bytes);
      errno = error;
      return PyErr_SetFromErrno(PyExc_OSError);
    }
    _PyBytes_Resize(&bytes, count);
    return bytes;
  });
}

PyObject* sleep(PyObject*, PyObject* args) {
  PyObject *seconds = nullptr, *what = nullptr;
  if (PyArg_ParseTuple(args, "OO:_sleep", &seconds, &what) == 0) return nullptr;
  return guarded([&]() -> PyObject* {
    const Duration whole = to_duration(seconds);
    const char* const text = keep(what);
    const detail::WaitNote note(text);
    if (!sleep_until_stopped(whole, OnInterrupt::only_raises)) return raise_interrupted(text);
    Py_RETURN_NONE;
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
     "_poll($module, pairs, timeout, what, shown, /)\n--\n\n"
     "Wait until one of the pairs (descriptor, events) is ready, and return those that are, or none after the "
     "timeout. WaitInterrupted if the caller is stopped. `what` is for that and for snapshots, which show the "
     "descriptor `shown`, too, unless it is -1."},
    {"_read_now", &read_now, METH_VARARGS,
     "_read_now($module, fd, length, /)\n--\n\nAs os.read, but BlockingIOError instead of a wait."},
    {"_sleep", &sleep, METH_VARARGS,
     "_sleep($module, seconds, what, /)\n--\n\n"
     "Sleep. WaitInterrupted if the caller is stopped. `what` is for that and for snapshots."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

int stop_descriptor() {
  try {
    return without_gil([] { return stop_fd(); });
  } catch (const std::system_error& error) {
    errno = error.code().value();
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
  }
}

bool init_blocking(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace tg::python

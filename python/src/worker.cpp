// SPDX-License-Identifier: Apache-2.0
// Entering and leaving Python, and what `threading` and its hooks see of it.
#include "worker.hpp"

#include <threadgroup/duration.hpp>

namespace tg::python {

namespace {

constexpr Duration kTurn = Duration::from_nanos(5'000'000);  // the interpreter's own switch interval

PyObject* worker_thread_type = nullptr;    // threadgroup_core._threads.WorkerThread
PyObject* threading_names = nullptr;       // the dictionary of the module `threading`
PyObject* name_of_active = nullptr;        // "_active": the threads that it lists, by identity
PyObject* name_of_name = nullptr;          // "_name", of a thread
PyObject* name_of_trace_hook = nullptr;    // "_trace_hook": what `threading.settrace` was given
PyObject* name_of_profile_hook = nullptr;  // "_profile_hook"

thread_local Worker worker;

// Changes whenever a name of `threading` is bound anew.
std::uint64_t version_of_threading() noexcept {
#if PY_VERSION_HEX < 0x030C0000
  return reinterpret_cast<PyDictObject*>(threading_names)->ma_version_tag;
#else
  static std::uint64_t looks = 0;  // under the interpreter's lock; there is no version any more: always look
  return ++looks;
#endif
}

// Calls `sys.settrace` or `sys.setprofile` if the hook is another one than before.
void apply_hook(PyObject* name, const char* setter, PyObject*& in_force) noexcept {
  PyObject* hook = PyDict_GetItemWithError(threading_names, name);
  if (hook == Py_None) hook = nullptr;
  if (hook == in_force) return;
  Py_XINCREF(hook);
  const Ref before = Ref::steal(std::exchange(in_force, hook));
  PyObject* const set = PySys_GetObject(setter);
  if (set == nullptr) return;
  const Ref done = Ref::steal(PyObject_CallOneArg(set, hook != nullptr ? hook : Py_None));
  if (done.get() == nullptr) PyErr_WriteUnraisable(set);
}

// The dictionary of the threads that `threading` lists; not owned.
PyObject* listed_threads() noexcept { return PyDict_GetItemWithError(threading_names, name_of_active); }

}  // namespace

Worker& Worker::current() noexcept { return worker; }

Worker::~Worker() {
  if (state_ == nullptr || generation_ != runtime::fork_generation() || !begin_use()) return;  // leaked
  if (!holding_) take_back(state_);
  stop_serving();
  Py_CLEAR(thread_);
  Py_CLEAR(ident_);
  Py_CLEAR(trace_hook_);
  Py_CLEAR(profile_hook_);
  PyGILState_Release(PyGILState_UNLOCKED);  // the first `Ensure` of this thread: deletes the state
  end_use();
}

bool Worker::enter(GroupState& group) noexcept {
  if (waits()) {
    take_back(state_);
  } else if (!holding_) {
    if (!begin_use()) return false;
    if (state_ != nullptr) {
      take_back(state_);
    } else {
      attach_thread();
      state_ = PyThreadState_Get();
      generation_ = runtime::fork_generation();
    }
    holding_ = true;
    since_ = runtime::coarse_now();
    runtime::Flow::current().before_idle = &Worker::leave_flow;
    if (group_ == &group) group.wake(seat_);
  } else if (runtime::coarse_now() - since_ > kTurn) {
    // Python functions make room when asked; a long row of C functions would not.
    take_back(PyEval_SaveThread());
    since_ = runtime::coarse_now();
  }
  if (group_ != &group) serve(group);
  if (hooks_seen_ != version_of_threading()) apply_hooks();
  return true;
}

void Worker::leave() noexcept {
  if (!holding_) return;
  if (group_ != nullptr) {
    group_->rest(seat_);
    if (group_->object == nullptr) stop_serving();
  }
  holding_ = false;
  PyEval_SaveThread();
  end_use();
}

void Worker::serve(GroupState& group) noexcept {
  const ErrorsSaved saved;
  stop_serving();
  if (group_ == &group) return;  // a destructor of what was dropped has waited for a task, which ran here
  group.add_reference();
  group_ = &group;
  seat_ = group.take_seat(*this);
  show(group);
}

void Worker::show(const GroupState& group) noexcept {
  if (thread_ == nullptr) thread_ = PyObject_CallNoArgs(worker_thread_type);
  if (thread_ != nullptr && ident_ == nullptr) ident_ = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
  if (ident_ != nullptr) {
    const std::string name = group.name + "_" + std::to_string(seat_);
    const Ref shown =
        Ref::steal(PyUnicode_DecodeUTF8(name.data(), static_cast<Py_ssize_t>(name.size()), "replace"));
    if (shown.get() != nullptr && PyObject_SetAttr(thread_, name_of_name, shown.get()) == 0) {
      if (PyObject* const listed = listed_threads()) PyDict_SetItem(listed, ident_, thread_);
    }
  }
  if (PyErr_Occurred() != nullptr) PyErr_WriteUnraisable(worker_thread_type);
}

void Worker::stop_serving() noexcept {
  if (group_ == nullptr) return;
  group_->leave_seat(seat_);
  lose_seat();
}

// Another thread may do this. Until it has taken everything it runs no Python code, which could give the lock
// away: then the worker would wake up, and lose what it has begun anew.
void Worker::lose_seat() noexcept {
  const ErrorsSaved saved;
  GroupState* const group = std::exchange(group_, nullptr);
  // X2: the interpreter keeps there what `threading.local` objects hold for this thread, and makes it anew.
  const Ref locals = Ref::steal(std::exchange(state_->dict, nullptr));
  if (PyObject* const listed = ident_ != nullptr ? listed_threads() : nullptr) {
    if (PyDict_DelItem(listed, ident_) != 0) PyErr_Clear();  // after a fork the list is new
  }
  group->release();
}

void Worker::apply_hooks() noexcept {
  hooks_seen_ = version_of_threading();
  const ErrorsSaved saved;
  apply_hook(name_of_trace_hook, "settrace", trace_hook_);
  apply_hook(name_of_profile_hook, "setprofile", profile_hook_);
}

WorkerTurn::WorkerTurn(GroupState& group) noexcept : nested_(worker.waits()), entered_(worker.enter(group)) {}

bool init_worker() {
  const Ref module = Ref::steal(PyImport_ImportModule("threadgroup_core._threads"));
  const Ref threading = Ref::steal(PyImport_ImportModule("threading"));
  if (module.get() == nullptr || threading.get() == nullptr) return false;
  worker_thread_type = PyObject_GetAttrString(module.get(), "WorkerThread");
  threading_names = PyModule_GetDict(threading.get());
  Py_XINCREF(threading_names);
  name_of_active = PyUnicode_InternFromString("_active");
  name_of_name = PyUnicode_InternFromString("_name");
  name_of_trace_hook = PyUnicode_InternFromString("_trace_hook");
  name_of_profile_hook = PyUnicode_InternFromString("_profile_hook");
  return worker_thread_type != nullptr && threading_names != nullptr && name_of_active != nullptr &&
         name_of_name != nullptr && name_of_trace_hook != nullptr && name_of_profile_hook != nullptr;
}

}  // namespace tg::python

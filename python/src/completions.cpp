// SPDX-License-Identifier: Apache-2.0
// Handles that line up as their tasks end.
#include "completions.hpp"

#include <memory>
#include <new>

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/task_handle.hpp>

#include "arguments.hpp"
#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "handle.hpp"
#include "result/task_watcher.hpp"
#include "tree/node.hpp"
#include "tree/task_context.hpp"
#include "tree/while_lent.hpp"

namespace tg::python {

namespace {

/// Lives as long as a task is to be watched. Thread safety: everything from any thread.
class Queue {
 public:
  Queue() = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() {
    while (Entry* entry = pop()) delete entry;
  }

  static void watch(std::shared_ptr<Queue> queue, PyObject* handle, const TaskHandle<void>& task) {
    detail::SlotOf::get(task)->watch(*new Entry(std::move(queue), Ref::borrow(handle)));
  }
  bool empty() noexcept {
    detail::MutexLock lock(mutex_);
    return first_ == nullptr;
  }
  /// Null if there is none.
  Ref take() noexcept {
    const std::unique_ptr<Entry> entry(pop());
    return entry != nullptr ? std::move(entry->handle) : Ref();
  }
  detail::WaitQueue& waiters() noexcept { return waiters_; }
  /// For the garbage collector. Handles whose tasks have not ended are held by those.
  int traverse(visitproc visit, void* arg) noexcept {
    detail::MutexLock lock(mutex_);
    for (const Entry* entry = first_; entry != nullptr; entry = entry->next) Py_VISIT(entry->handle.get());
    return 0;
  }

 private:
  struct Entry final : detail::TaskWatcher {
    Entry(std::shared_ptr<Queue> q, Ref h) noexcept : queue(std::move(q)), handle(std::move(h)) {}
    void ended() noexcept override {
      const std::shared_ptr<Queue> to = std::move(queue);  // or queue and entry would keep each other alive
      to->push(*this);
      to->waiters_.release_all();
    }
    std::shared_ptr<Queue> queue;
    Ref handle;
    Entry* next = nullptr;
  };

  void push(Entry& entry) noexcept {
    detail::MutexLock lock(mutex_);
    (first_ != nullptr ? last_->next : first_) = &entry;
    last_ = &entry;
  }
  Entry* pop() noexcept {
    detail::MutexLock lock(mutex_);
    Entry* const entry = first_;
    if (entry != nullptr) first_ = entry->next;
    return entry;
  }

  detail::Mutex mutex_;
  Entry* first_ TG_GUARDED_BY(mutex_) = nullptr;
  Entry* last_ TG_GUARDED_BY(mutex_) = nullptr;  // meaningless while the queue is empty
  detail::WaitQueue waiters_;
};

struct Object {
  PyObject_HEAD std::shared_ptr<Queue> queue;
  const detail::Node* lends_to;  // the group of the calling task, if one of the watched tasks is of it
};

Object& object_of(PyObject* self) noexcept { return *reinterpret_cast<Object*>(self); }

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    auto queue = std::make_shared<Queue>();
    PyObject* const self = type->tp_alloc(type, 0);
    if (self == nullptr) return nullptr;
    ::new (static_cast<void*>(&object_of(self).queue)) std::shared_ptr<Queue>(std::move(queue));
    object_of(self).lends_to = nullptr;
    return self;
  });
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Queue* const queue = object_of(self).queue.get();
  return queue != nullptr ? queue->traverse(visit, arg) : 0;
}
int clear(PyObject* self) {
  for (Queue* const queue = object_of(self).queue.get(); queue != nullptr && !queue->empty();) queue->take();
  return 0;
}

void destroy(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  object_of(self).queue.~shared_ptr<Queue>();
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* watch(PyObject* self, PyObject* handle) {
  return guarded([&]() -> PyObject* {
    const TaskHandle<void>* const task = task_of_handle(handle);
    if (task == nullptr) return nullptr;
    // For what it throws: the task may be the caller, or have stayed behind in the parent of a fork.
    if (!task->done()) static_cast<void>(task->wait(Duration()));
    const detail::TaskContext* const caller = detail::TaskContext::current();
    if (caller != nullptr && detail::SlotOf::get(*task)->belongs_to(caller->node)) {
      object_of(self).lends_to = caller->node;
    }
    Queue::watch(object_of(self).queue, handle, *task);
    Py_RETURN_NONE;
  });
}

PyObject* take(PyObject* self, PyObject* timeout) {
  return guarded([&]() -> PyObject* {
    Queue& queue = *object_of(self).queue;
    detail::TaskContext* const caller = detail::TaskContext::current();
    detail::Event* const event = detail::event_of_caller();
    const bool lends = caller != nullptr && caller->node == object_of(self).lends_to;
    bool is_stopped = false;
    const bool ended = wait_interruptibly(to_duration(timeout), [&](Duration slice) {
      if (!queue.empty()) return true;
      WaitOutcome outcome = WaitOutcome::timed_out;
      detail::while_lent(caller, lends, [&] {
        outcome = detail::wait(
            queue.waiters(), [&] { return !queue.empty(); }, {event, nullptr}, runtime::after(slice));
      });
      is_stopped = outcome == WaitOutcome::event_set;
      return outcome != WaitOutcome::timed_out;
    });
    if (is_stopped) {
      const std::string text = "as_completed ended because the waiter's group was stopped: ";
      raise_again(type_named("WaitInterrupted")(text + event->reason()->str()).ptr());
      return nullptr;
    }
    if (!ended) {
      PyErr_SetString(PyExc_TimeoutError, "not all tasks are done");
      return nullptr;
    }
    return queue.take().release();
  });
}

PyMethodDef methods[] = {
    {"watch", &watch, METH_O, nullptr}, {"take", &take, METH_O, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>("Handles that line up as their tasks end.")},
                       {Py_tp_new, reinterpret_cast<void*>(&make)},
                       {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(&clear)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(&destroy)},
                       {Py_tp_methods, methods},
                       {0, nullptr}};
PyType_Spec spec = {"threadgroup_core._Completions", sizeof(Object), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};

}  // namespace

bool init_completions(PyObject* module) {
  const Ref type = Ref::steal(PyType_FromSpec(&spec));
  return type.get() != nullptr && PyModule_AddObjectRef(module, "_Completions", type.get()) == 0;
}

}  // namespace tg::python

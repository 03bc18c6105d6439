// SPDX-License-Identifier: Apache-2.0
// Channels of Python objects.
#include "channel.hpp"

#include <utility>

#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>

#include "boxed.hpp"
#include "waiting.hpp"

namespace tg::python {

ObjectChannel::Entry* ObjectChannel::put_in(PyObject* object) {
  auto* const entry = new Entry;
  entry->object_ = Ref::borrow(object);
  entry->next_ = first_;
  if (first_ != nullptr) first_->previous_ = entry;
  first_ = entry;
  return entry;
}

Ref ObjectChannel::take_out(Entry* entry) noexcept {
  const std::unique_ptr<Entry> owned(entry);
  (entry->previous_ != nullptr ? entry->previous_->next_ : first_) = entry->next_;
  if (entry->next_ != nullptr) entry->next_->previous_ = entry->previous_;
  return std::move(entry->object_);
}

int ObjectChannel::traverse(visitproc visit, void* arg) const noexcept {
  for (const Entry* entry = first_; entry != nullptr; entry = entry->next_) Py_VISIT(entry->object_.get());
  return 0;
}

void ObjectChannel::drop_all() noexcept {
  try {
    // Each is out of the channel before its object goes, which may run anything.
    while (const std::optional<Entry*> entry = channel.try_receive()) take_out(*entry);
  } catch (const ForkedError&) {  // what a forked child inherits stays as it is
  }
}

namespace {

constexpr auto kNothingToUndo = [] {};
using Entry = ObjectChannel::Entry;
using Box = Boxed<ObjectChannel>;

PyTypeObject* channel_type = nullptr;

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"capacity", nullptr};
    Py_ssize_t capacity = 0;
    if (!parse(args, named, "n:Channel", names, &capacity)) return nullptr;
    if (capacity < 0) {
      throw std::invalid_argument("Channel(" + std::to_string(capacity) + "): give a capacity of at least 0");
    }
    return Box::make(type, static_cast<std::size_t>(capacity));
  });
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  const ObjectChannel* const channel = reinterpret_cast<Box*>(self)->value;
  return channel != nullptr ? channel->traverse(visit, arg) : 0;
}
int clear(PyObject* self) {
  Box::of(self).drop_all();
  return 0;
}

PyObject* send(PyObject* self, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"value", "timeout", nullptr};
    PyObject* value = nullptr;
    PyObject* given = nullptr;
    if (!parse(args, named, "O|O:send", names, &value, &given)) return nullptr;
    const Duration timeout = to_duration(given);
    ObjectChannel& objects = Box::of(self);
    Entry* const entry = objects.put_in(value);
    WaitOutcome outcome = WaitOutcome::timed_out;
    try {
      const auto attempt = [&](Duration time) {
        Entry* sent = entry;
        return outcome = objects.channel.send(std::move(sent), time);
      };
      if (attempt(Duration()) == WaitOutcome::timed_out && timeout > Duration()) {
        wait_without_gil(
            EndedBy::stops, [&] { return attempt(timeout) == WaitOutcome::ready; }, kNothingToUndo);
      }
    } catch (...) {
      if (outcome != WaitOutcome::ready) objects.take_out(entry);
      throw;
    }
    if (outcome != WaitOutcome::ready) objects.take_out(entry);
    return to_object(outcome);
  });
}

PyObject* try_send(PyObject* self, PyObject* value) {
  return guarded([&]() -> PyObject* {
    ObjectChannel& objects = Box::of(self);
    Entry* const entry = objects.put_in(value);
    Entry* sent = entry;
    bool done = false;
    try {
      done = objects.channel.try_send(std::move(sent));
    } catch (...) {
      objects.take_out(entry);
      throw;
    }
    if (!done) objects.take_out(entry);
    return PyBool_FromLong(done);
  });
}

// An item, or nothing and the outcome.
Ref receive_within(ObjectChannel& objects, Duration timeout, WaitOutcome& outcome) {
  Entry* entry = nullptr;
  outcome = objects.channel.receive(entry, Duration());
  if (outcome == WaitOutcome::timed_out && timeout > Duration()) {
    wait_without_gil(
        EndedBy::stops,
        [&] { return (outcome = objects.channel.receive(entry, timeout)) == WaitOutcome::ready; },
        [&] { objects.take_out(entry); });
  }
  return outcome == WaitOutcome::ready ? objects.take_out(entry) : Ref();
}

PyObject* receive(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    PyObject* timeout = nullptr;
    if (!parse_timeout(args, count, names, "receive", timeout)) return nullptr;
    WaitOutcome outcome = WaitOutcome::ready;
    Ref item = receive_within(Box::of(self), to_duration(timeout), outcome);
    switch (outcome) {
      case WaitOutcome::ready:
        return item.release();
      case WaitOutcome::closed:
        raise_again(type_named("ChannelClosed")("the channel is closed and empty").ptr());
        return nullptr;
      case WaitOutcome::timed_out:
        PyErr_SetString(PyExc_TimeoutError, "the channel is empty");
        return nullptr;
      default:
        return raise_interrupted("an item of a channel");
    }
  });
}

PyObject* try_receive(PyObject* self, PyObject* args, PyObject* named) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"default", nullptr};
    PyObject* otherwise = Py_None;
    if (!parse(args, named, "|O:try_receive", names, &otherwise)) return nullptr;
    ObjectChannel& objects = Box::of(self);
    if (const std::optional<Entry*> entry = objects.channel.try_receive())
      return objects.take_out(*entry).release();
    Py_INCREF(otherwise);
    return otherwise;
  });
}

PyObject* next(PyObject* self) {
  return guarded([&]() -> PyObject* {
    WaitOutcome outcome = WaitOutcome::ready;
    return receive_within(Box::of(self), Duration::max(), outcome).release();  // null: the end of the loop
  });
}

PyObject* close(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    ObjectChannel& objects = Box::of(self);
    without_gil([&] { objects.channel.close(); });
    Py_RETURN_NONE;
  });
}
PyObject* is_closed(PyObject* self, PyObject*) { return PyBool_FromLong(Box::of(self).channel.is_closed()); }
PyObject* size(PyObject* self, PyObject*) { return PyLong_FromSize_t(Box::of(self).channel.size()); }
PyObject* capacity(PyObject* self, PyObject*) { return PyLong_FromSize_t(Box::of(self).channel.capacity()); }
PyObject* class_getitem(PyObject* type, PyObject*) {  // Channel[int], for annotations
  Py_INCREF(type);
  return type;
}

PyMethodDef methods[] = {
    {"send", as_method(&send), kNamed,
     "send($self, /, value, timeout=None)\n--\n\n"
     "Send the value, and wait for room: WaitOutcome.READY. CLOSED if the channel is closed; EVENT_SET if the caller "
     "is stopped, even if there is room; TIMED_OUT after the timeout. Unless READY, nothing was sent."},
    {"receive", as_method(&receive), kFast,
     "receive($self, /, timeout=None)\n--\n\n"
     "Wait for an item, and return it. ChannelClosed if the channel is closed and empty, WaitInterrupted if the caller "
     "is stopped, even if there are items, TimeoutError after the timeout."},
    {"try_send", &try_send, METH_O,
     "try_send($self, value, /)\n--\n\nSend the value if that is possible at once. Returns whether it was."},
    {"try_receive", as_method(&try_receive), kNamed,
     "try_receive($self, /, default=None)\n--\n\nAn item if there is one at once, else the default."},
    {"close", &close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Let no more items in, and wake all who wait. Receivers get what is left. Closing twice is harmless."},
    {"is_closed", &is_closed, METH_NOARGS,
     "is_closed($self, /)\n--\n\nWhether it was closed. Items may be left."},
    {"size", &size, METH_NOARGS, "size($self, /)\n--\n\nHow many items are in the channel at this moment."},
    {"capacity", &capacity, METH_NOARGS, "capacity($self, /)\n--\n\nHow many items it has room for."},
    {"__class_getitem__", &class_getitem, METH_O | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "Channel(capacity)\n--\n\n"
         "A bounded queue between any number of sending and receiving threads, whose waits can be stopped.\n\n"
         "`for item in channel:` ends when the channel is closed and empty, or the caller is stopped; any number of "
         "threads may loop over it, and each item goes to one of them. With capacity 0 a sender and a receiver meet.")},
    {Py_tp_new, reinterpret_cast<void*>(&make)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&Box::destroy)},
    {Py_tp_methods, methods},
    {Py_tp_iter, reinterpret_cast<void*>(&PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(&next)},
    {0, nullptr}};
PyType_Spec spec = {"threadgroup_core.Channel", sizeof(Box), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                    slots};

}  // namespace

ObjectChannel* channel_of(PyObject* object) noexcept {
  if (Py_TYPE(object) == channel_type) return &Box::of(object);
  PyErr_Format(PyExc_TypeError, "expected a Channel, not %.200s", Py_TYPE(object)->tp_name);
  return nullptr;
}

bool init_channel(PyObject* module) {
  channel_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return channel_type != nullptr &&
         PyModule_AddObjectRef(module, "Channel", reinterpret_cast<PyObject*>(channel_type)) == 0;
}

}  // namespace tg::python

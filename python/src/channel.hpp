// SPDX-License-Identifier: Apache-2.0
// The Python type Channel.
#pragma once

#include <Python.h>

#include <memory>

#include <threadgroup/channel.hpp>

#include "gil.hpp"

namespace tg::python {

/// A C++ channel of Python objects.
///
/// What goes through the C++ channel is a pointer to an entry, so no reference count changes where the interpreter's
/// lock is not held. The object belongs to this channel from the call of `send` to the end of the call of `receive`:
/// it is in a list, where the garbage collector finds it.
///
/// Thread safety: under the interpreter's lock, except for `channel`.
class ObjectChannel {
 public:
  class Entry;

  explicit ObjectChannel(std::size_t capacity) : channel(capacity) {}
  ~ObjectChannel() { drop_all(); }
  ObjectChannel(const ObjectChannel&) = delete;
  ObjectChannel& operator=(const ObjectChannel&) = delete;

  /// Takes a reference. The entry is to be sent, or else given to `take_out`.
  Entry* put_in(PyObject* object);
  /// For an entry that was received, or not sent.
  Ref take_out(Entry* entry) noexcept;

  int traverse(visitproc visit, void* arg) const noexcept;
  /// Drops what is in the channel. Requires that no thread uses it.
  void drop_all() noexcept;

  Channel<Entry*> channel;

 private:
  Entry* first_ = nullptr;
};

class ObjectChannel::Entry {
  friend class ObjectChannel;
  Ref object_;
  Entry* previous_ = nullptr;
  Entry* next_ = nullptr;
};

/// Null with an error set if it is no channel.
ObjectChannel* channel_of(PyObject* object) noexcept;

bool init_channel(PyObject* module);

}  // namespace tg::python

// SPDX-License-Identifier: Apache-2.0
// Waiting for the first of several cases, which `_select.py` makes.
#include "select.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <vector>

#include <threadgroup/detail/select_core.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/thread_group.hpp>

#include "arguments.hpp"
#include "channel.hpp"
#include "group.hpp"
#include "handle.hpp"
#include "waiting.hpp"

namespace tg::python {

namespace {

using Entry = ObjectChannel::Entry;

// As in _select.py.
enum class Kind { receive, send, readable, writable, after, handle_done, event_set, otherwise };

/// One case. What it refers to is kept alive by the tuple of cases.
struct Case {
  explicit Case(Kind k) noexcept : kind(k) {}
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;
  ~Case() {
    if (entry != nullptr) channel->take_out(entry);
  }
  bool operator()(void* at) noexcept {  // the move of an item, on any thread
    if (kind == Kind::send) {
      ::new (at) Entry*(entry);
    } else {
      entry = *static_cast<Entry**>(at);
    }
    return true;
  }

  const Kind kind;
  ObjectChannel* channel = nullptr;
  Entry* entry = nullptr;  // to be sent, or received
  int descriptor = -1;
  TimePoint due;
  detail::TaskSlot* task = nullptr;
  detail::Event* event = nullptr;
  alignas(Entry*) std::byte room[sizeof(Entry*)];
  std::optional<detail::ChannelCase> in_channel;
};

/// The items of one attempt, which can be neither copied nor moved.
class Items {
 public:
  explicit Items(std::size_t most)
      : memory_(static_cast<detail::SelectItem*>(::operator new(most * sizeof(detail::SelectItem)))),
        room_(most) {}
  ~Items() {
    std::destroy_n(memory_, count_);
    ::operator delete(memory_);
  }
  Items(const Items&) = delete;
  Items& operator=(const Items&) = delete;

  template <class... Args>
  void add(Args&&... args) {
    ::new (static_cast<void*>(memory_ + count_)) detail::SelectItem(std::forward<Args>(args)...);
    ++count_;
  }
  detail::SelectEnd select() { return detail::select_one({memory_, count_}, std::span(room_).first(count_)); }

 private:
  detail::SelectItem* const memory_;
  std::size_t count_ = 0;
  std::vector<detail::ChannelCase*> room_;
};

bool parse_case(PyObject* given, std::deque<Case>& cases, TimePoint begin) {
  int number = 0;
  PyObject* what = nullptr;
  PyObject* value = nullptr;
  PyObject* function = nullptr;
  if (PyArg_ParseTuple(given, "iOOO:select", &number, &what, &value, &function) == 0) return false;
  Case& made = cases.emplace_back(static_cast<Kind>(number));
  switch (made.kind) {
    case Kind::receive:
    case Kind::send:
      made.channel = channel_of(what);
      if (made.channel == nullptr) return false;
      if (made.kind == Kind::send) made.entry = made.channel->put_in(value);
      break;
    case Kind::readable:
    case Kind::writable:
      made.descriptor = PyObject_AsFileDescriptor(what);
      return made.descriptor >= 0;
    case Kind::after: {
      const Duration time = to_duration(what);
      made.due = time.is_forever() ? TimePoint::never() : begin + time;
      break;
    }
    case Kind::handle_done: {
      const TaskHandle<void>* const task = task_of_handle(what);
      if (task == nullptr) return false;
      made.task = detail::SlotOf::get(*task);
      break;
    }
    case Kind::event_set:
      if (!check_group(what)) return false;
      made.event = &detail::event_of(core_of_group(what));
      break;
    case Kind::otherwise:
      break;
  }
  return true;
}

void add_item(Case& of, Items& items, TimePoint now) {
  switch (of.kind) {
    case Kind::receive:
    case Kind::send: {
      const bool sends = of.kind == Kind::send;
      of.in_channel.emplace(of.channel->channel.core(),
                            sends ? detail::ChannelCase::Kind::send : detail::ChannelCase::Kind::receive, of,
                            sends ? nullptr : of.room);
      return items.add(*of.in_channel);
    }
    case Kind::readable:
    case Kind::writable:
      return items.add(detail::SelectItem::Descriptor{of.descriptor, of.kind == Kind::writable});
    case Kind::after:
      return items.add(of.due.is_never() ? Duration::max() : of.due - now);
    case Kind::handle_done:
      return items.add(*of.task);
    case Kind::event_set:
      return items.add(*of.event);
    case Kind::otherwise:
      return items.add();
  }
}

// `limit`: a further case, after that time; zero: if no other case is possible at once.
detail::SelectEnd attempt(std::deque<Case>& cases, Duration limit) {
  Items items(cases.size() + 1);
  const TimePoint now = runtime::now();
  for (Case& one : cases) add_item(one, items, now);
  if (limit <= Duration()) items.add();
  else if (!limit.is_forever()) items.add(limit);
  return items.select();
}

// Whether a case, or a stop, has ended the attempt, and not its limit.
bool is_end(const detail::SelectEnd& end, const std::deque<Case>& cases) {
  return end.outcome == WaitOutcome::event_set || end.index < cases.size();
}

detail::SelectEnd run(std::deque<Case>& cases) {
  bool has_otherwise = false;
  bool has_descriptor = false;
  for (const Case& one : cases) {
    has_otherwise = has_otherwise || one.kind == Kind::otherwise;
    has_descriptor = has_descriptor || one.descriptor >= 0;
  }
  detail::SelectEnd end = attempt(cases, has_otherwise ? Duration::max() : Duration());
  if (is_end(end, cases)) return end;
  // With a descriptor the thread sleeps in a system call, which is left now and then for a look at signals.
  constexpr Duration kSlice = Duration::from_nanos(20'000'000);
  const bool in_slices = has_descriptor && runtime::Flow::current().is_main();
  do {
    wait_without_gil(
        EndedBy::stops,
        [&] {
          end = attempt(cases, in_slices ? kSlice : Duration::max());
          return end.outcome == WaitOutcome::ready && is_end(end, cases);
        },
        [] {});
  } while (!is_end(end, cases));
  return end;
}

PyObject* select(PyObject*, PyObject* given) {
  return guarded([&]() -> PyObject* {
    if (PyTuple_Check(given) == 0 || PyTuple_GET_SIZE(given) == 0) {
      PyErr_SetString(PyExc_TypeError, "select() needs at least one case");
      return nullptr;
    }
    std::deque<Case> cases;
    const TimePoint begin = runtime::now();
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(given); ++i) {
      PyObject* const one = PyTuple_GET_ITEM(given, i);
      if (PyTuple_Check(one) == 0) {
        PyErr_Format(PyExc_TypeError, "select() takes cases, such as receive_from(channel), not %.200s",
                     Py_TYPE(one)->tp_name);
        return nullptr;
      }
      if (!parse_case(one, cases, begin)) return nullptr;
    }
    const detail::SelectEnd end = run(cases);
    Ref item = Ref::borrow(Py_None);
    if (end.outcome == WaitOutcome::ready) {
      Case& done = cases[end.index];
      if (done.entry != nullptr && done.kind == Kind::receive) item = done.channel->take_out(done.entry);
      done.entry = nullptr;
    }
    const Ref outcome = Ref::steal(to_object(end.outcome));
    return Py_BuildValue("(OnO)", outcome.get(), static_cast<Py_ssize_t>(end.index), item.get());
  });
}

PyMethodDef functions[] = {{"_select", &select, METH_O, "_select($module, cases, /)\n--\n\n"},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool init_select(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace tg::python

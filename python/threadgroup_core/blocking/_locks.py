# SPDX-License-Identifier: Apache-2.0
"""``threading`` and ``queue``: the types whose waits can be stopped.

``threading``'s other types wait by a ``Condition``, so a ``Condition`` that can be stopped is enough for them, and for the futures of
``concurrent.futures``.
"""

from __future__ import annotations

import _thread
import collections
import queue as _queue
import threading as _threading
from typing import TYPE_CHECKING, Any, Callable, Deque, Generic, List, Optional, TypeVar

from .. import _core, _plain
from .._types import Stopped, WaitOutcome
from ._waits import Deadline, is_covered, pauses, raise_if_stopped

_T = TypeVar("_T")

_CONDITION, _THREAD, _ITEM = "a condition", "a thread", "an item of a queue"

Lock = _core._Lock
RLock = _core._RLock

# --- Condition ---

_TAKEN_BACK_IN_ANY_CASE = (Lock, RLock, _thread.LockType, _plain.RLock)

_condition_wait = _threading.Condition.wait


def condition_wait(self: Any, timeout: Optional[float] = None) -> bool:
    """As ``threading.Condition.wait``. Raises ``WaitInterrupted``, with the lock held as always, if the caller is stopped first."""
    if not is_covered() or (timeout is not None and timeout <= 0):
        return _condition_wait(self, timeout)
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    raise_if_stopped(_CONDITION)
    is_taken_back_in_any_case = isinstance(self._lock, _TAKEN_BACK_IN_ANY_CASE)
    waiter = Lock()
    waiter.acquire()
    self._waiters.append(waiter)
    saved = self._release_save()
    notified = False
    stopped = False
    try:
        notified = waiter._wait(timeout)
        return notified
    except Stopped:
        stopped = True
        raise
    finally:
        # No other call comes before this one: the handler of a signal could raise in it.
        if is_taken_back_in_any_case:
            self._acquire_restore(saved)
        else:
            _take_back(self, saved)
        if not notified:
            try:
                self._waiters.remove(waiter)
            except ValueError:
                # It was notified in the same moment. A caller that timed out looks once more at what it waits for; one that is
                # stopped does not, so the notification goes to the next one.
                if stopped:
                    self.notify()


def _take_back(condition: Any, saved: Any) -> None:
    with _core.Shield(None):
        condition._acquire_restore(saved)


class Condition(_threading.Condition):
    """As ``threading.Condition``, with a ``wait`` that a stop ends."""

    def __init__(self, lock: Any = None) -> None:
        given: Any = RLock() if lock is None else lock
        super().__init__(given)

    wait = condition_wait


class Event(_threading.Event):
    """As ``threading.Event``, with a ``wait`` that a stop ends. If it is set, a stopped caller gets True."""

    def __init__(self) -> None:
        super().__init__()
        self._cond = Condition(Lock())


class Semaphore(_threading.Semaphore):
    """As ``threading.Semaphore``, with an ``acquire`` that a stop ends. A stopped caller gets a permit that is there."""

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._cond = Condition(Lock())


class BoundedSemaphore(_threading.BoundedSemaphore):
    """As ``threading.BoundedSemaphore``, with an ``acquire`` that a stop ends."""

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._cond = Condition(Lock())


_barrier_wait = _threading.Barrier.wait


def barrier_wait(self: Any, timeout: Optional[float] = None) -> int:
    """As ``threading.Barrier.wait``. If a caller is stopped, the barrier is broken: the others would wait for it."""
    try:
        return _barrier_wait(self, timeout)
    except Stopped:
        self.abort()
        raise


class Barrier(_threading.Barrier):
    """As ``threading.Barrier``, with a ``wait`` that a stop ends; that breaks the barrier."""

    def __init__(self, parties: int, action: "Optional[Callable[[], Any]]" = None, timeout: Optional[float] = None) -> None:
        super().__init__(parties, action, timeout)
        self._cond = Condition(Lock())

    wait = barrier_wait


# --- Thread ---

_thread_start, _thread_join = _threading.Thread.start, _threading.Thread.join


def thread_start(self: Any) -> None:
    """As ``threading.Thread.start``, which waits until the thread runs: a moment, which a stop does not end."""
    if not is_covered():
        return _thread_start(self)
    with _core.Shield(None):
        _thread_start(self)


def thread_join(self: Any, timeout: Optional[float] = None) -> None:
    """As ``threading.Thread.join``. Raises ``WaitInterrupted`` if the caller is stopped first."""
    if not is_covered() or (timeout is not None and timeout <= 0):
        return _thread_join(self, timeout)
    deadline = Deadline(timeout)
    for length in pauses(deadline):
        _thread_join(self, length)
        if not self.is_alive() or deadline.is_over():
            return
        raise_if_stopped(_THREAD)


class Thread(_threading.Thread):
    """As ``threading.Thread``, with a ``join`` that a stop ends."""

    start = thread_start
    join = thread_join


# --- queue ---

_queue_get = _queue.Queue.get


def queue_get(self: Any, block: bool = True, timeout: Optional[float] = None) -> Any:
    """As ``queue.Queue.get``. Raises ``WaitInterrupted`` if the caller is stopped, also if there is an item, so that a consumer
    ends; the item stays in the queue."""
    if block and timeout != 0:
        raise_if_stopped(_ITEM)
    return _queue_get(self, block, timeout)


class _Stoppable:
    """The waits of our queues, over those of the standard library."""

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)  # type: ignore[call-arg]
        queue: Any = self
        queue.mutex = Lock()
        queue.not_empty, queue.not_full, queue.all_tasks_done = (Condition(queue.mutex) for _ in range(3))

    if not TYPE_CHECKING:  # the original says what it returns
        get = queue_get


class Queue(_Stoppable, _queue.Queue[_T]):
    """As ``queue.Queue``, with a ``get``, ``put`` and ``join`` that a stop ends. A stopped caller can put as long as there is room."""


class LifoQueue(_Stoppable, _queue.LifoQueue[_T]):
    """As ``queue.LifoQueue``, with the waits of ``Queue``."""


class PriorityQueue(_Stoppable, _queue.PriorityQueue[_T]):
    """As ``queue.PriorityQueue``, with the waits of ``Queue``."""


class SimpleQueue(Generic[_T]):
    """As ``queue.SimpleQueue``, with a ``get`` that a stop ends. ``put`` may be called by a destructor, at any moment."""

    # The deque alone says which items there are. A permit of the semaphore tells a waiter to look at the deque again. No wake-up is
    # lost: a waiter looks at the deque after it has registered, and a `put` adds its item before it looks for waiters and releases a
    # permit. There may be more permits than items, because a caller that does not wait takes an item without a permit; an extra
    # permit costs one extra look. The handler of a signal can raise between any two steps.

    def __init__(self) -> None:
        self._items: "Deque[_T]" = collections.deque()
        self._waiters: "List[object]" = []  # one for each; its methods are single steps
        self._looks = _core.Semaphore(0)

    def put(self, item: _T, block: bool = True, timeout: Optional[float] = None) -> None:
        try:
            self._items.append(item)
        finally:
            if self._waiters:
                self._looks.release()

    def get(self, block: bool = True, timeout: Optional[float] = None) -> _T:
        if timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        if not block or timeout == 0:
            return self.get_nowait()
        raise_if_stopped(_ITEM)
        try:
            return self._items.popleft()
        except IndexError:
            return self._wait_for_item(Deadline(timeout))

    def _wait_for_item(self, deadline: Deadline) -> _T:
        me, outcome = object(), None
        try:
            self._waiters.append(me)
            while True:
                try:
                    return self._items.popleft()
                except IndexError:
                    pass
                outcome = None  # while this is not known, a permit may have been taken
                outcome = self._looks._acquire_one(deadline.left())
                if outcome is WaitOutcome.TIMED_OUT:
                    return self.get_nowait()
                if outcome is WaitOutcome.EVENT_SET:
                    raise_if_stopped(_ITEM)
        except BaseException:
            if outcome is None or outcome is WaitOutcome.READY:
                self._looks.release()  # a handler has raised: the next waiter looks
            raise
        finally:
            if me in self._waiters:
                self._waiters.remove(me)

    def put_nowait(self, item: _T) -> None:
        self.put(item)

    def get_nowait(self) -> _T:
        try:
            return self._items.popleft()
        except IndexError:
            raise _queue.Empty from None

    def empty(self) -> bool:
        return not self._items

    def qsize(self) -> int:
        return len(self._items)

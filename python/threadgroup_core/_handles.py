# SPDX-License-Identifier: Apache-2.0
"""What handles and groups can do beyond what the extension has in C++: the ways of ``concurrent.futures`` and asyncio.

A handle makes nothing of this until it is asked for. Then it has a condition of its own, as a future has: code that looks at
several of them (``wait`` and ``as_completed`` of ``concurrent.futures`` do) takes their conditions in the order of their
ids, so no two may share one.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from datetime import timedelta
from typing import Any, Callable, Generator, Iterable, Iterator, List, Optional, TypeVar, Union

from . import _core, _plain
from ._types import TaskStatus

_T = TypeVar("_T")
_LOGGER = logging.getLogger("threadgroup_core")

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.001, 0.02  # between looks for room in a group

_process = object()  # another one in each process: after a fork, threads of the parent may seem to hold the locks


class _Waiting:
    """The waiters for the end of one task, and the callbacks. Guarded by its condition."""

    __slots__ = ("callbacks", "condition", "ended", "process", "waiters")

    def __init__(self, inherited: "Optional[_Waiting]") -> None:
        self.condition = threading.Condition(_plain.RLock())
        self.callbacks: "List[Callable[[Any], Any]]" = list(inherited.callbacks) if inherited is not None else []
        self.waiters: "List[Any]" = []
        # Changes under the condition only, unlike the status of the task: a thread that holds the condition sees the state
        # that the waiters get, which are added here under the same condition.
        self.ended = False
        self.process = _process


def _waiting_of(handle: "_core.TaskHandle[Any]") -> _Waiting:
    waiting: Optional[_Waiting] = handle._waiting
    if waiting is None or waiting.process is not _process:
        # It is made with no lock held: the garbage collector may come by, and with it the end of a group, whose tasks may
        # look at this handle.
        made: _Waiting = handle._keep_waiting(waiting, _Waiting(waiting), _tell)
        return made
    return waiting


def _tell(handle: "_core.TaskHandle[Any]") -> None:
    """The task has ended."""
    waiting = _waiting_of(handle)
    with waiting.condition:
        if waiting.ended:
            return  # a task that has forked ends twice
        # From here on no callback is added or removed. Without waiters nothing is made here, so that no garbage is
        # collected under the lock.
        waiting.ended = True
        if waiting.waiters:
            _tell_waiters(waiting.waiters, handle)
    callbacks, waiting.callbacks = waiting.callbacks, []
    _call_all(callbacks, handle)


def _tell_waiters(waiters: "List[Any]", handle: "_core.TaskHandle[Any]") -> None:
    for waiter in waiters:
        if handle.cancelled():
            waiter.add_cancelled(handle)
        elif handle.status is TaskStatus.SUCCEEDED:
            waiter.add_result(handle)
        else:
            waiter.add_exception(handle)


def _call_all(callbacks: "Iterable[Callable[[Any], Any]]", handle: "_core.TaskHandle[Any]") -> None:
    """What ends the program (KeyboardInterrupt, SystemExit) is raised when all have been called."""
    ends: "List[BaseException]" = []
    left = iter(callbacks)
    while True:
        try:
            for callback in left:
                try:
                    callback(handle)
                except Exception:
                    _LOGGER.exception("exception calling callback for %r", handle)
            break
        except BaseException as error:
            if ends:
                _LOGGER.exception("exception calling callback for %r", handle)
            ends.append(error)
    if ends:
        try:
            raise ends[0]
        finally:
            ends.clear()  # its traceback refers to this frame


def _add_callback(handle: "_core.TaskHandle[Any]", callback: "Callable[[Any], Any]") -> None:
    waiting = _waiting_of(handle)
    with waiting.condition:
        if not waiting.ended:
            waiting.callbacks.append(callback)
            return
    _call_all((callback,), handle)


def _remove_callback(handle: "_core.TaskHandle[Any]", callback: "Callable[[Any], Any]") -> None:
    waiting = _waiting_of(handle)
    with waiting.condition:
        if not waiting.ended and callback in waiting.callbacks:
            waiting.callbacks.remove(callback)


def _after_fork_in_child() -> None:
    global _process
    _process = object()


os.register_at_fork(after_in_child=_after_fork_in_child)


# --- Methods of a handle ---


def add_done_callback(self: "_core.TaskHandle[Any]", fn: "Callable[[Any], Any]", /) -> None:
    """Call fn(handle) when the task has ended, on the thread that ended it; at once if it has.

    Callbacks are called in the order in which they were added. What they raise is logged; a KeyboardInterrupt in the main
    thread is raised there when all have been called.
    """
    _add_callback(self, fn)


def __await__(self: "_core.TaskHandle[Any]") -> "Generator[Any, None, Any]":
    """Wait without blocking the event loop, and return what the task returned or raise what it raised.

    If the asyncio task that waits is cancelled, the task is skipped unless it has begun.
    """
    import asyncio

    if not self.done():
        try:
            yield from _end_of(self).__await__()
        except asyncio.CancelledError:
            self.cancel()
            raise
    return self.result()


async def _end_of(handle: "_core.TaskHandle[Any]") -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    ended: "asyncio.Future[None]" = loop.create_future()
    wake = functools.partial(_wake, loop, ended)
    _add_callback(handle, wake)
    try:
        await ended
    finally:
        _remove_callback(handle, wake)


def _wake(loop: Any, ended: Any, handle: "_core.TaskHandle[Any]") -> None:
    try:
        loop.call_soon_threadsafe(_settle, ended)
    except RuntimeError:
        pass  # the loop is closed: nothing waits there any more


def _settle(ended: Any) -> None:
    if not ended.done():
        ended.set_result(None)


# What `concurrent.futures.wait` and `as_completed` look at.


def _get_condition(self: "_core.TaskHandle[Any]") -> threading.Condition:
    return _waiting_of(self).condition


def _get_waiters(self: "_core.TaskHandle[Any]") -> "List[Any]":
    return _waiting_of(self).waiters


def _get_state(self: "_core.TaskHandle[Any]") -> str:
    if not _waiting_of(self).ended:
        return "RUNNING" if self.running() else "PENDING"
    return "CANCELLED_AND_NOTIFIED" if self.cancelled() else "FINISHED"


# --- Methods of a group ---


def as_completed(
    handles: "Iterable[_core.TaskHandle[_T]]", timeout: "Union[float, timedelta, None]" = None
) -> "Iterator[_core.TaskHandle[_T]]":
    """The handles in the order in which their tasks end; each handle once.

    TimeoutError if they are not all done after the timeout, WaitInterrupted if the caller's own group is stopped.
    """
    watched = list(dict.fromkeys(handles))
    completions = _core._Completions()
    for handle in watched:
        completions.watch(handle)
    if isinstance(timeout, timedelta):
        timeout = timeout.total_seconds()
    deadline = None if timeout is None else time.monotonic() + timeout
    return _take_all(completions, len(watched), deadline)


def _take_all(completions: "_core._Completions", count: int, deadline: Optional[float]) -> "Iterator[Any]":
    for _ in range(count):
        yield completions.take(None if deadline is None else deadline - time.monotonic())


def map(
    self: "_core.ThreadGroup",
    fn: "Callable[..., Any]",
    /,
    *iterables: "Iterable[Any]",
    timeout: "Union[float, timedelta, None]" = None,
) -> "Iterator[Any]":
    """Add a task fn(*items) for each set of items, and iterate over the results in that order.

    All tasks are added at once. A failure is raised where its result would have come. Leaving the loop early, also by
    a failure or after the timeout (TimeoutError), skips those that have not begun.
    """
    if isinstance(timeout, timedelta):
        timeout = timeout.total_seconds()
    deadline = None if timeout is None else time.monotonic() + timeout
    handles = [self.add_task(fn, *items) for items in zip(*iterables)]
    handles.reverse()
    return _results(handles, deadline)


def _results(handles: "List[_core.TaskHandle[Any]]", deadline: Optional[float]) -> "Iterator[Any]":
    try:
        while handles:
            yield _result_or_cancel(handles.pop(), None if deadline is None else deadline - time.monotonic())
    finally:
        for handle in reversed(handles):
            handle.cancel()


def _result_or_cancel(handle: "_core.TaskHandle[Any]", timeout: Optional[float]) -> Any:
    try:
        return handle.result(timeout)
    except BaseException:
        handle.cancel()
        raise
    finally:
        del handle  # what it raised refers to this frame


def _as_completed(
    self: "_core.ThreadGroup",
    handles: "Iterable[_core.TaskHandle[Any]]",
    timeout: "Union[float, timedelta, None]" = None,
) -> "Iterator[_core.TaskHandle[Any]]":
    return as_completed(handles, timeout)


async def run(self: "_core.ThreadGroup", fn: "Callable[..., _T]", /, *args: Any, **kwargs: Any) -> "_T":
    """Run fn(*args, **kwargs) in a task, and wait for its result without blocking the event loop.

        page = await group.run(fetch, url)

    If the asyncio task that waits is cancelled, the call is stopped, and no other task of the group: it has an event of its own. The
    CancelledError is raised when the call has ended; at once if it has not begun, and at the second cancellation. A result that the
    call had in that moment is dropped, as with ``asyncio.to_thread``. If the group is full (max_pending), it is tried again every
    few milliseconds until there is room, not in the order of the callers.
    """
    import asyncio

    delay = _SHORTEST_PAUSE
    while (handle := self._try_add_stoppable(fn, *args, **kwargs)) is None:
        await asyncio.sleep(delay)
        delay = min(2 * delay, _LONGEST_PAUSE)
    try:
        return await handle
    except asyncio.CancelledError:
        handle._set_event("the asyncio task that waits for it was cancelled")
        if not handle.done():
            await _end_of(handle)
        raise
    except BaseException:
        if not handle.done():  # a coroutine that is closed cannot wait
            handle._set_event("the coroutine that waits for it was closed")
        raise


_as_completed.__name__, _as_completed.__doc__ = "as_completed", as_completed.__doc__

_handle: Any = _core.TaskHandle
_handle.add_done_callback = add_done_callback
_handle.__await__ = __await__
_handle._condition = property(_get_condition)
_handle._waiters = property(_get_waiters)
_handle._state = property(_get_state)
_group: Any = _core.ThreadGroup
_group.map = map
_group.run = run
_group.as_completed = _as_completed

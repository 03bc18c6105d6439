# SPDX-License-Identifier: Apache-2.0
"""What handles and groups can do beyond what the extension has in C++: the ways of ``concurrent.futures`` and asyncio.

A handle makes nothing of this until it is asked for, and has no lock of its own: all code that looks at handles through
the private face of ``concurrent.futures.Future`` (``wait`` and ``as_completed`` do) shares one.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from datetime import timedelta
from typing import Any, Callable, Generator, Iterable, Iterator, List, Optional, TypeVar, Union

from . import _core
from ._types import TaskStatus

_T = TypeVar("_T")
_LOGGER = logging.getLogger("threadgroup_core")

# The condition of all handles. `concurrent.futures` never waits on it: it takes it to look at several futures at once.
_condition = threading.Condition()


class _Waiting:
    """Those who are to be told of the end of one task. Guarded by the lock of `_condition`."""

    __slots__ = ("callbacks", "ended", "waiters")

    def __init__(self) -> None:
        self.callbacks: "List[Callable[[Any], Any]]" = []
        self.waiters: "List[Any]" = []
        # Changes under the lock only, unlike the status of the task: whoever holds the lock sees the state that the
        # waiters, which are put here under the same lock, are told of.
        self.ended = False


def _waiting_of(handle: "_core.TaskHandle[Any]") -> _Waiting:
    waiting: Optional[_Waiting] = handle._waiting
    if waiting is None:
        with _condition:
            waiting = handle._waiting
            if waiting is None:
                handle._waiting = waiting = _Waiting()
                handle._watch(_tell)
    return waiting


def _tell(handle: "_core.TaskHandle[Any]") -> None:
    """The task has ended."""
    waiting = handle._waiting
    with _condition:
        waiting.ended = True
        for waiter in waiting.waiters:
            if handle.cancelled():
                waiter.add_cancelled(handle)
            elif handle.status is TaskStatus.SUCCEEDED:
                waiter.add_result(handle)
            else:
                waiter.add_exception(handle)
        callbacks, waiting.callbacks = waiting.callbacks, []
    for callback in callbacks:
        _call(callback, handle)


def _call(callback: "Callable[[Any], Any]", handle: "_core.TaskHandle[Any]") -> None:
    try:
        callback(handle)
    except Exception:
        _LOGGER.exception("exception calling callback for %r", handle)


# --- Methods of a handle ---


def add_done_callback(self: "_core.TaskHandle[Any]", fn: "Callable[[Any], Any]", /) -> None:
    """Call fn(handle) when the task has ended, on the thread that ended it; at once if it has.

    Callbacks are called in the order in which they were added. What they raise is logged.
    """
    waiting = _waiting_of(self)
    with _condition:
        if not waiting.ended:
            waiting.callbacks.append(fn)
            return
    _call(fn, self)


def __await__(self: "_core.TaskHandle[Any]") -> "Generator[Any, None, Any]":
    """Wait without blocking the event loop, and return what the task returned or raise what it raised.

    If the asyncio task that waits is cancelled, the task is skipped unless it has begun.
    """
    import asyncio

    if not self.done():
        loop = asyncio.get_running_loop()
        ended: "asyncio.Future[None]" = loop.create_future()
        self._watch(functools.partial(_wake, loop, ended))
        try:
            yield from ended
        except asyncio.CancelledError:
            self.cancel()
            raise
    return self.result()


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
    _waiting_of(self)
    return _condition


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
            yield handles.pop().result(None if deadline is None else deadline - time.monotonic())
    finally:
        for handle in reversed(handles):
            handle.cancel()


def _as_completed(
    self: "_core.ThreadGroup",
    handles: "Iterable[_core.TaskHandle[Any]]",
    timeout: "Union[float, timedelta, None]" = None,
) -> "Iterator[_core.TaskHandle[Any]]":
    return as_completed(handles, timeout)


_as_completed.__name__, _as_completed.__doc__ = "as_completed", as_completed.__doc__

_handle: Any = _core.TaskHandle
_handle.add_done_callback = add_done_callback
_handle.__await__ = __await__
_handle._condition = property(_get_condition)
_handle._waiters = property(_get_waiters)
_handle._state = property(_get_state)
_group: Any = _core.ThreadGroup
_group.map = map
_group.as_completed = _as_completed

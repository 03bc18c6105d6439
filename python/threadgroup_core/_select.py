# SPDX-License-Identifier: Apache-2.0
"""Waiting for the first of several things."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, TypeVar, Union

from . import _core
from ._types import WaitOutcome

if TYPE_CHECKING:
    from typing import Protocol

    class HasFileno(Protocol):
        def fileno(self) -> int: ...


_T = TypeVar("_T")

# As in select.cpp.
_RECEIVE, _SEND, _READABLE, _WRITABLE, _AFTER, _HANDLE_DONE, _EVENT_SET, _OTHERWISE = range(8)


class Case(NamedTuple):
    """A case of ``select``."""

    kind: int
    what: Any = None
    value: Any = None
    fn: Optional[Callable[..., Any]] = None


@dataclass(frozen=True)
class Selected:
    """How a ``select`` ended. True if a case was chosen."""

    outcome: WaitOutcome
    """``READY``: a case was chosen, and its function has been called. ``TIMED_OUT``: an ``after`` without a function was. ``CLOSED``:
    a channel is closed, and no other case was possible. ``EVENT_SET``: the caller was stopped."""
    index: Optional[int]
    """The case in question, counted from 0; None after ``EVENT_SET``."""
    value: Any = None
    """What the function returned, or, without a function, the item that was received."""

    def __bool__(self) -> bool:
        return self.outcome is WaitOutcome.READY


def receive_from(channel: "_core.Channel[_T]", fn: Optional[Callable[[_T], Any]] = None) -> Case:
    """A case of ``select``: receive an item, and call ``fn(item)``."""
    return Case(_RECEIVE, channel, None, fn)


def send_to(channel: "_core.Channel[_T]", value: _T, fn: Optional[Callable[[], Any]] = None) -> Case:
    """A case of ``select``: send the value, and call ``fn()``."""
    return Case(_SEND, channel, value, fn)


def readable(file: "Union[int, HasFileno]", fn: Optional[Callable[[], Any]] = None) -> Case:
    """A case of ``select``: the descriptor can be read without blocking, or has an error or its end to be read."""
    return Case(_READABLE, file, None, fn)


def writable(file: "Union[int, HasFileno]", fn: Optional[Callable[[], Any]] = None) -> Case:
    """A case of ``select``: the descriptor can be written without blocking."""
    return Case(_WRITABLE, file, None, fn)


def after(seconds: Union[float, timedelta, None], fn: Optional[Callable[[], Any]] = None) -> Case:
    """A case of ``select``: the time has passed since the call of ``select``. Without a function it is a time-out."""
    return Case(_AFTER, seconds, None, fn)


def handle_done(handle: "_core.TaskHandle[Any]", fn: Optional[Callable[[], Any]] = None) -> Case:
    """A case of ``select``: the task has ended. Its result is not taken."""
    return Case(_HANDLE_DONE, handle, None, fn)


def when_event_set(group: "_core.ThreadGroup", fn: Optional[Callable[[], Any]] = None) -> Case:
    """A case of ``select``: the group is stopped. For another group than the caller's own, whose stop ends each ``select``."""
    return Case(_EVENT_SET, group, None, fn)


def otherwise(fn: Optional[Callable[[], Any]] = None) -> Case:
    """A case of ``select``: no other case is possible at once. With it, ``select`` does not wait."""
    return Case(_OTHERWISE, None, None, fn)


def select(*cases: Case) -> Selected:
    """Wait until one of the cases is possible, do it, and call its function.

    Exactly one case is done, once, or none; of several that are possible, each may be. A stopped caller does none.
    """
    outcome, index, item = _core._select(cases)
    if outcome is WaitOutcome.EVENT_SET:
        return Selected(outcome, None)
    if outcome is not WaitOutcome.READY:
        return Selected(outcome, index)
    case = cases[index]
    if case.fn is not None:
        return Selected(outcome, index, case.fn(item) if case.kind == _RECEIVE else case.fn())
    return Selected(WaitOutcome.TIMED_OUT if case.kind == _AFTER else outcome, index, item)

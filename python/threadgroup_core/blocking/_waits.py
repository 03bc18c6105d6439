# SPDX-License-Identifier: Apache-2.0
"""What all replacements of blocking calls share: whether the caller can be stopped, and waiting until it is."""

from __future__ import annotations

import os
import select as _select
import sys
import time
from types import FunctionType
from typing import Any, Callable, Iterator, Optional, Sequence, Tuple

from .. import _core

is_covered = _core._is_covered
raise_if_stopped = _core._raise_if_stopped

READABLE = _select.POLLIN
WRITABLE = _select.POLLOUT

_SHORTEST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.01


class Deadline:
    """The end of a time-out that begins now."""

    def __init__(self, timeout: Optional[float]) -> None:
        if timeout is not None and timeout != timeout:
            raise ValueError("Invalid value NaN (not a number)")  # nothing would ever be over
        self._end = None if timeout is None else time.monotonic() + timeout

    def left(self) -> Optional[float]:
        """Seconds, not less than 0; None without a time-out."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end


def error_of(number: int) -> OSError:
    """What a failed system call raises: for EAGAIN a ``BlockingIOError``, and so on."""
    return OSError(number, os.strerror(number))


def runs_event_loop() -> bool:
    """Whether the calling thread runs an event loop of asyncio, which has its own way to end, and must not be torn out of its
    wait."""
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None


def wait_for_descriptor(fd: int, events: int, deadline: Deadline, what: str) -> bool:
    """Wait until the descriptor is ready. False if the time is up first; ``WaitInterrupted`` if the caller is stopped first."""
    return bool(_core._poll(((fd, events),), deadline.left(), what, fd))


def poll(pairs: "Sequence[Tuple[int, int]]", timeout: Optional[float], what: str) -> Any:
    """The same for several (descriptor, events): a list of those that are ready. Snapshots show no descriptor."""
    return _core._poll(pairs, timeout, what, -1)


def pause(seconds: float, what: str) -> None:
    """Sleep, and raise ``WaitInterrupted`` if the caller is stopped."""
    _core._sleep(seconds, what)


def pauses(deadline: Deadline) -> "Iterator[float]":
    """The pauses between attempts of what cannot be polled: 0.5 ms at first, then longer, up to 10 ms, and none beyond the deadline."""
    length = _SHORTEST_PAUSE
    while True:
        left = deadline.left()
        yield length if left is None else min(length, left)
        length = min(2 * length, _LONGEST_PAUSE)


def repeat_until(attempt: "Callable[[], Any]", deadline: Deadline, what: str) -> Any:
    """Try again after pauses, until the attempt returns something that is not None, and return that. None if the time is up first."""
    for length in pauses(deadline):
        result = attempt()
        if result is not None or deadline.is_over():
            return result
        raise_if_stopped(what)
        pause(length, what)


def rebound(function: "Callable[..., Any]", **names: Any) -> Any:
    """A copy of a Python function of the standard library that finds other things under some global names: so its code is used as it
    is, with our calls in it."""
    assert isinstance(function, FunctionType)
    copy = FunctionType(
        function.__code__, {**function.__globals__, **names}, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__doc__ = function.__doc__
    copy.__qualname__ = function.__qualname__
    return copy

# SPDX-License-Identifier: Apache-2.0
"""What a task asks of its own group, which is found by itself: it is that of the task that calls.

Each function also takes another event: that of a group (``group.get_event()``), or anything with ``set``, ``is_set`` and ``wait`` like
a ``threading.Event``.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

import threadgroup_core
from threadgroup_core import WaitStatus
from threadgroup_core import thread_utils as _utils

# A foreign event cannot be waited for together with that of the caller's group, which is looked at in between.
_LOOK_INTERVAL = 0.1


class GroupEvent:
    """The event of a group, as an object with the methods of a ``threading.Event`` that make sense: it is never cleared."""

    def __init__(self, group: threadgroup_core.ThreadGroup) -> None:
        self._group = group

    def set(self, message: str = "") -> bool:
        return self._group.set_event(message)

    def is_set(self) -> bool:
        return self._group.event_is_set()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """True as soon as it is set, or the event of the caller's own group is; False after the timeout."""
        return self._group.wait_for_condition(lambda: False, timeout, None, False) is WaitStatus.EVENT_SET

    def wait_for_condition(self, expression: Callable[[], object], timeout: Optional[float],
                           sleep_interval: float) -> WaitStatus:
        return self._group.wait_for_condition(expression, timeout, sleep_interval, False)


def event_aware_sleep(duration: float, event: Any = None) -> bool:
    """Sleep until the event is set. True: slept in full. False: the event is set. Outside a task a plain sleep, and True."""
    if event is None:
        return _utils.event_aware_sleep(duration)
    if isinstance(event, GroupEvent):
        return not event.wait(duration)
    return not _wait_for_foreign(event, time.monotonic() + duration)


def wait_for_condition(expression: Callable[[], object], timeout: Optional[float], sleep_interval: float = 0.1,
                       event: Any = None) -> WaitStatus:
    """Wait until the expression is true, and then set the event. The answer is true exactly in that case."""
    if event is None:
        return _utils.wait_for_condition(expression, timeout, sleep_interval)
    if isinstance(event, GroupEvent):
        return event.wait_for_condition(expression, timeout, sleep_interval)
    deadline = None if timeout is None else time.monotonic() + timeout
    while not expression():
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            return WaitStatus.TIMED_OUT
        if _wait_for_foreign(event, now + sleep_interval if deadline is None else min(deadline, now + sleep_interval)):
            return WaitStatus.EVENT_SET
    event.set()
    return WaitStatus.CONDITION_MET


def set_event(message: str = "", event: Any = None) -> bool:
    """Stop the siblings, and everything below the group. True if this call set the event."""
    if event is None:
        return _utils.set_event(message)
    if isinstance(event, GroupEvent):
        return event.set(message)
    was_set = bool(event.is_set())
    event.set()
    return not was_set


def _wait_for_foreign(event: Any, deadline: float) -> bool:
    """Whether the event, or that of the caller's own group, is set before the deadline."""
    while True:
        left = deadline - time.monotonic()
        if event.wait(max(0.0, min(left, _LOOK_INTERVAL))) or _utils.event_is_set():
            return True
        if left <= _LOOK_INTERVAL:
            return False


__all__ = ["GroupEvent", "event_aware_sleep", "set_event", "wait_for_condition"]

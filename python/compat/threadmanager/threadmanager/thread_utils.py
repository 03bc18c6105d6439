# SPDX-License-Identifier: Apache-2.0
"""What a task asks of its own group. The group is found by itself: it is that of the task that calls."""

from __future__ import annotations

from typing import Callable

from threadgroup_core import WaitStatus
from threadgroup_core import thread_utils as _utils


def event_aware_sleep(duration: float) -> bool:
    """Sleep, unless told to stop. True: slept in full. False: the event is set. Outside a task a plain sleep, and True."""
    return _utils.event_aware_sleep(duration)


def wait_for_condition(expression: Callable[[], object], timeout: float, sleep_interval: float = 0.1) -> WaitStatus:
    """Wait until the expression is true, and then tell the group to stop. The answer is true exactly in that case."""
    return _utils.wait_for_condition(expression, timeout, sleep_interval)


def set_event(message: str = "") -> bool:
    """Tell the siblings, and everything below the group, to stop. True if this call set the event."""
    return _utils.set_event(message)


__all__ = ["event_aware_sleep", "set_event", "wait_for_condition"]

# SPDX-License-Identifier: Apache-2.0
"""What a task asks of its own group, without having to know it."""

import contextvars
from typing import Any, Callable, TypeVar

from ._core import (
    _abandonable,
    current_path,
    event_aware_sleep,
    event_is_set,
    is_draining,
    note,
    notify,
    reason,
    set_all_events,
    set_event,
    stop_fd,
    throw_if_event_set,
    wait_for_condition,
)

_R = TypeVar("_R")


def abandonable(function: Callable[..., _R], /, *args: Any, **named: Any) -> _R:
    """Call `function(*args, **named)` on another thread, and leave that thread behind if the caller is stopped meanwhile.

    For calls that no stop can end: `abandonable(socket.getaddrinfo, host, port)`. A stopped caller goes on at once, by the
    exception `Stopped`; the call runs on until it returns, and its result is dropped. `tree_text` and the end of the
    process name such calls. Where nothing can stop the caller, outside of groups and scopes, it is a plain call. At most 64
    calls run at a time (``set_max_abandonable_calls``), those that were left behind included; further ones wait.
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    result: _R = _abandonable(name, contextvars.copy_context().run, (function, *args), named)
    return result


__all__ = [
    "abandonable",
    "current_path",
    "event_aware_sleep",
    "event_is_set",
    "is_draining",
    "note",
    "notify",
    "reason",
    "set_all_events",
    "set_event",
    "stop_fd",
    "throw_if_event_set",
    "wait_for_condition",
]

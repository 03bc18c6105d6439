# SPDX-License-Identifier: Apache-2.0
"""What a task asks of its own group, without having to know it."""

from ._core import (
    current_path,
    event_aware_sleep,
    event_is_set,
    is_draining,
    notify,
    reason,
    set_all_events,
    set_event,
    stop_fd,
    throw_if_event_set,
    wait_for_condition,
)

__all__ = [
    "current_path",
    "event_aware_sleep",
    "event_is_set",
    "is_draining",
    "notify",
    "reason",
    "set_all_events",
    "set_event",
    "stop_fd",
    "throw_if_event_set",
    "wait_for_condition",
]

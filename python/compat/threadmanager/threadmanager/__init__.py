# SPDX-License-Identifier: Apache-2.0
"""The names of the thread management library, on the core of threadgroup_core.

    thread_group = ThreadGroup("Verifying Users", max_concurrent_threads=10)
    for user in users:
        thread_group.add_task(verify_user, args=[user])
    thread_group.join(600)

Groups made here hang in the same tree as those of every other package over that core.
"""

from __future__ import annotations

from . import thread_utils, threadutils
from .thread_group import JoinResult, TaskSkipped, ThreadGroup
from .threadutils import GroupEvent, event_aware_sleep, set_event, wait_for_condition

__all__ = [
    "GroupEvent",
    "JoinResult",
    "TaskSkipped",
    "ThreadGroup",
    "event_aware_sleep",
    "set_event",
    "thread_utils",
    "threadutils",
    "wait_for_condition",
]

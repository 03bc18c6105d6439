# SPDX-License-Identifier: Apache-2.0
"""Groups of threads that form trees and share a one-way stop event, on the C++ core of threadgroup.

    from threadgroup_core import ThreadGroup, thread_utils

    with ThreadGroup("Verifying Users", max_concurrent_threads=10) as group:
        for user in users:
            group.add_task(verify, user)
        group.wait_for_condition(lambda: valid_users, timeout=600)   # then stops the rest
"""

from __future__ import annotations

import atexit as _atexit
import os as _os
import sys as _sys
import traceback as _traceback

from . import _core, _handles, _types, thread_utils
from ._core import (
    Channel,
    Mutex,
    RateLimiter,
    Semaphore,
    Shield,
    StopScope,
    TaskHandle,
    ThreadGroup,
    dump,
    every,
    metrics_text,
    set_all_events,
    set_destructor_warning,
    set_exit_grace,
    set_max_abandonable_calls,
    set_unseen_failure_handler,
    shut_down,
    snapshot,
    tree_text,
)
from ._executor import Executor
from ._handles import as_completed
from ._scopes import timeout
from ._select import (
    Selected,
    after,
    handle_done,
    otherwise,
    readable,
    receive_from,
    select,
    send_to,
    when_event_set,
    writable,
)
from ._shutdown import SignalShutdown
from ._types import (
    BaseExceptionGroup,
    ChannelClosed,
    DeadlockError,
    ExceptionGroup,
    Failure,
    ForkedError,
    GroupStatistics,
    JoinResult,
    NodeSnapshot,
    NoGroupError,
    Reason,
    ReasonKind,
    RunningTask,
    ShutdownPlan,
    ShutdownReport,
    StopLatency,
    Stopped,
    TaskFailures,
    TaskLeft,
    TaskSkipped,
    TaskStatus,
    WaitInterrupted,
    WaitOutcome,
    WaitStatus,
)

__version__ = "0.1.0"
__all__ = [
    "BaseExceptionGroup",
    "Channel",
    "ChannelClosed",
    "DeadlockError",
    "ExceptionGroup",
    "Executor",
    "Failure",
    "ForkedError",
    "GroupStatistics",
    "JoinResult",
    "Mutex",
    "NoGroupError",
    "NodeSnapshot",
    "RateLimiter",
    "Reason",
    "ReasonKind",
    "RunningTask",
    "Selected",
    "Semaphore",
    "Shield",
    "ShutdownPlan",
    "ShutdownReport",
    "SignalShutdown",
    "StopLatency",
    "StopScope",
    "Stopped",
    "TaskFailures",
    "TaskHandle",
    "TaskLeft",
    "TaskSkipped",
    "TaskStatus",
    "ThreadGroup",
    "WaitInterrupted",
    "WaitOutcome",
    "WaitStatus",
    "after",
    "as_completed",
    "dump",
    "every",
    "get_include",
    "get_library_dir",
    "handle_done",
    "metrics_text",
    "otherwise",
    "readable",
    "receive_from",
    "select",
    "send_to",
    "set_all_events",
    "set_destructor_warning",
    "set_exit_grace",
    "set_max_abandonable_calls",
    "set_unseen_failure_handler",
    "shut_down",
    "snapshot",
    "thread_utils",
    "timeout",
    "tree_text",
    "when_event_set",
    "writable",
]


def get_include() -> str:
    """The folder of the C++ headers, for extensions whose groups hang in the same tree."""
    return _os.path.join(_os.path.dirname(_os.path.abspath(__file__)), "include")


def get_library_dir() -> str:
    """The folder of the C++ library that this package has loaded; such extensions link that one."""
    return _os.path.dirname(_os.path.abspath(_core.__file__))


def _report_unseen(path: str, task: str, exception: BaseException) -> None:
    line = f"threadgroup: unseen failure: task '{task}' of group '{path}' failed:"
    print(_core._escaped(line), file=_sys.stderr)
    _traceback.print_exception(type(exception), exception, exception.__traceback__, file=_sys.stderr)


set_unseen_failure_handler(_report_unseen)
# After the threads that Python waits for, and before the interpreter goes.
_atexit.register(_core._close)

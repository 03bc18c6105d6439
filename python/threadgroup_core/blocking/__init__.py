# SPDX-License-Identifier: Apache-2.0
"""The standard library's blocking calls, made so that a stop ends them.

    from threadgroup_core import ThreadGroup, blocking

    blocking.install()                                  # for all code, unmodified; or use the functions and classes of this module

    with ThreadGroup("fetch", 8) as group:
        group.add_task(urllib.request.urlopen, url)     # ends in milliseconds when the group is stopped

They have the names, the arguments and the results of the originals. A call that was stopped raises ``WaitInterrupted``, a ``Stopped``; it
has taken nothing. In a thread that runs no task and is in no scope they do what the originals do.
"""

from ._descriptors import (
    DefaultSelector,
    EpollSelector,
    PollSelector,
    SelectSelector,
    epoll,
    flock,
    lockf,
    poll,
    read,
    select,
    sleep,
    write,
)
from ._install import Installed, install
from ._locks import (
    Barrier,
    BoundedSemaphore,
    Condition,
    Event,
    LifoQueue,
    Lock,
    PriorityQueue,
    Queue,
    RLock,
    Semaphore,
    SimpleQueue,
    Thread,
)
from ._processes import Popen, call, check_call, check_output, run, wait, wait3, wait4, waitid, waitpid
from ._sockets import socket

__all__ = [
    "Barrier",
    "BoundedSemaphore",
    "Condition",
    "DefaultSelector",
    "EpollSelector",
    "Event",
    "Installed",
    "LifoQueue",
    "Lock",
    "PollSelector",
    "Popen",
    "PriorityQueue",
    "Queue",
    "RLock",
    "SelectSelector",
    "Semaphore",
    "SimpleQueue",
    "Thread",
    "call",
    "check_call",
    "check_output",
    "epoll",
    "flock",
    "install",
    "lockf",
    "poll",
    "read",
    "run",
    "select",
    "sleep",
    "socket",
    "wait",
    "wait3",
    "wait4",
    "waitid",
    "waitpid",
    "write",
]

try:
    from ._ssl import SSLSocket as SSLSocket

    __all__.append("SSLSocket")
except ImportError:  # pragma: no cover - a Python without OpenSSL
    pass

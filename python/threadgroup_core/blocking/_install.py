# SPDX-License-Identifier: Apache-2.0
"""Our calls in place of those of the standard library, for code that is not written for them."""

from __future__ import annotations

import fcntl
import os
import queue
import select
import selectors
import socket
import subprocess
import threading
import time
from typing import Any, List, NamedTuple, Tuple

from .. import _plain
from . import _descriptors, _locks, _processes, _sockets

try:
    import ssl

    from . import _ssl
except ImportError:  # pragma: no cover - a Python without OpenSSL
    ssl = None  # type: ignore[assignment]


class _Replacement(NamedTuple):
    owner: Any
    name: str
    ours: Any


def _replacements() -> "List[_Replacement]":
    listed = [
        (time, "sleep", _descriptors.sleep),
        (select, "select", _descriptors.select),
        (select, "poll", _descriptors.poll),
        (select, "epoll", _descriptors.epoll),
        (selectors.SelectSelector, "select", _descriptors.select_selector_select),
        (selectors.PollSelector, "select", _descriptors.poll_selector_select),
        (selectors.EpollSelector, "select", _descriptors.epoll_selector_select),
        (os, "read", _descriptors.read),
        (os, "write", _descriptors.write),
        (os, "wait", _processes.wait),
        (os, "wait3", _processes.wait3),
        (os, "wait4", _processes.wait4),
        (os, "waitpid", _processes.waitpid),
        (os, "waitid", _processes.waitid),
        (fcntl, "flock", _descriptors.flock),
        (fcntl, "lockf", _descriptors.lockf),
        (subprocess.Popen, "__init__", _processes.popen_init),
        (subprocess.Popen, "__exit__", _processes.popen_exit),
        (subprocess.Popen, "_wait", _processes.popen_wait),
        (subprocess.Popen, "communicate", _processes.popen_communicate),
        (threading, "Lock", _locks.Lock),
        (threading, "RLock", _locks.RLock),
        # In the classes themselves, so that objects are covered that were made before, and those of subclasses.
        (threading.Condition, "wait", _locks.condition_wait),
        (threading.Barrier, "wait", _locks.barrier_wait),
        (threading.Thread, "start", _locks.thread_start),
        (threading.Thread, "join", _locks.thread_join),
        (queue.Queue, "get", _locks.queue_get),
        (queue, "SimpleQueue", _locks.SimpleQueue),
        *((socket.socket, name, ours) for name, ours in _sockets.METHODS.items()),
    ]
    if ssl is not None:
        listed.append((ssl.SSLContext, "sslsocket_class", _ssl.SSLSocket))
    return [_Replacement(*each) for each in listed]


_NOTHING = object()
_lock = _plain.Lock()
_installed = 0  # by how many callers; under the lock
_originals: "List[Tuple[_Replacement, Any]]" = []  # with what was there before


def _put_in_place() -> None:
    for replacement in _replacements():
        owner, name, ours = replacement
        # A class may have inherited it.
        before = vars(owner).get(name, _NOTHING)
        _originals.append((replacement, before))
        setattr(owner, name, ours)


def _put_back() -> None:
    while _originals:
        (owner, name, ours), before = _originals.pop()
        if vars(owner).get(name) is not ours:
            continue  # what others have put there since stays
        if before is _NOTHING:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


class Installed:
    """What ``install()`` returns: ``undo()``, or the end of its ``with`` block, puts the standard library's calls back, unless another
    ``install()`` is in force."""

    def __init__(self) -> None:
        global _installed
        self._is_in_force = True
        with _lock:
            if _installed == 0:
                _put_in_place()
            _installed += 1

    def undo(self) -> None:
        """Put the standard library's calls back. Only the first call does something."""
        global _installed
        with _lock:
            if not self._is_in_force:
                return
            self._is_in_force = False
            _installed -= 1
            if _installed == 0:
                _put_back()

    def __enter__(self) -> "Installed":
        return self

    def __exit__(self, *raised: Any) -> None:
        self.undo()


def install() -> Installed:
    """Make the blocking calls of the standard library stoppable, for all code of the process.

        blocking.install()                  # at the beginning of the program, before other modules take `from time import sleep`

        with blocking.install():            # or for a part of it
            ...

    What is replaced is listed in the documentation. In a thread that runs no task and is in no scope, the original calls are made.
    It may be called several times, from any thread.
    """
    return Installed()

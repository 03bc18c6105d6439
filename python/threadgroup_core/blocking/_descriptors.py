# SPDX-License-Identifier: Apache-2.0
"""Sleeping, waiting for descriptors, pipes and file locks: ``time``, ``select``, ``selectors``, ``os`` and ``fcntl``."""

from __future__ import annotations

import errno
import fcntl as _fcntl
import os as _os
import select as _select
import selectors as _selectors
import termios as _termios
import time as _time
from typing import Any, Callable, Iterable, List, Optional, Tuple

from ._waits import (
    READABLE,
    WRITABLE,
    Deadline,
    error_of,
    is_covered,
    pauses,
    raise_if_stopped,
    repeat_until,
    runs_event_loop,
    wait_for_descriptor,
)
from ._waits import poll as _poll
from .. import _core

_SLEEP, _SELECT, _POLL, _READ, _WRITE, _LOCK = (
    "the end of a sleep", "a select", "a poll", "something to read", "room to write", "the lock of a file"
)

# --- time ---

_sleep = _time.sleep


def sleep(secs: float, /) -> None:
    """As ``time.sleep``. Raises ``WaitInterrupted`` if the caller is stopped: a loop that sleeps and looks would otherwise go on
    without sleeping."""
    if not is_covered():
        return _sleep(secs)
    raise_if_stopped(_SLEEP)
    if secs <= 0 or secs != secs:
        return _sleep(secs)  # it yields the processor, or says what is wrong
    _core._sleep(secs, _SLEEP)


# --- select ---

_select_select, _select_poll, _select_epoll = _select.select, _select.poll, _select.epoll
_IN = _select.POLLIN | _select.POLLHUP | _select.POLLERR
_OUT = _select.POLLOUT | _select.POLLERR
_EXCEPTIONAL = _select.POLLPRI
_LONGEST_POLL = 2**31 - 1  # milliseconds; more is an error


def _must_listen(fds: "Iterable[int]") -> bool:
    """Whether a stop ends the caller's wait for these. Not if it waits for ``stop_fd()`` itself."""
    if not is_covered() or runs_event_loop():
        return False
    try:
        return _core.stop_fd() not in fds
    except OSError:
        return True  # there is none yet, and no descriptor is left for it


def _descriptor(of: Any) -> int:
    if not isinstance(of, int) and not hasattr(of, "fileno"):
        raise TypeError("argument must be an int, or have a fileno() method.")
    fd: int = of if isinstance(of, int) else of.fileno()
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    return fd


def select(
    rlist: "Iterable[Any]", wlist: "Iterable[Any]", xlist: "Iterable[Any]", timeout: Optional[float] = None, /
) -> "Tuple[List[Any], List[Any], List[Any]]":
    """As ``select.select``. Raises ``WaitInterrupted`` if the caller is stopped before anything is ready."""
    if timeout == 0 or not is_covered():
        return _select_select(rlist, wlist, xlist, timeout)
    pairs = [[(each, _descriptor(each)) for each in one] for one in (rlist, wlist, xlist)]
    if not _must_listen([fd for _, fd in pairs[0]]) or (timeout is not None and timeout < 0):
        r, w, x = ([each for each, _ in one] for one in pairs)
        return _select_select(r, w, x, timeout)
    # The kernel's own mapping of select to poll; `select` itself takes no descriptor above 1023, as that of the stop may be.
    wanted: "dict[int, int]" = {}
    for one, events in zip(pairs, (READABLE, WRITABLE, _EXCEPTIONAL)):
        for _, fd in one:
            wanted[fd] = wanted.get(fd, 0) | events
    deadline = Deadline(timeout)
    for length in pauses(deadline):
        ready = dict(_poll(list(wanted.items()), deadline.left(), _SELECT))
        if any(events & _select.POLLNVAL for events in ready.values()):
            raise error_of(errno.EBADF)
        r, w, x = (
            [each for each, fd in one if ready.get(fd, 0) & events] for one, events in zip(pairs, (_IN, _OUT, _EXCEPTIONAL))
        )
        if r or w or x or deadline.is_over():
            break
        # Poll also tells of hang-ups and errors that this select does not ask for, and would do so at once again. So for the length
        # of a pause only the others are polled.
        left = deadline.left()
        others = [each for each in wanted.items() if each[0] not in ready]
        _poll(others, length if left is None else min(length, left), _SELECT)
    return r, w, x


class poll:
    """As ``select.poll``. ``poll()`` raises ``WaitInterrupted`` if the caller is stopped before anything is ready."""

    def __init__(self) -> None:
        self._poll = _select_poll()
        self._wanted: "dict[int, int]" = {}

    def register(self, fd: Any, eventmask: int = _select.POLLIN | _select.POLLPRI | _select.POLLOUT, /) -> None:
        self._poll.register(fd, eventmask)
        self._wanted[_descriptor(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int, /) -> None:
        self._poll.modify(fd, eventmask)
        self._wanted[_descriptor(fd)] = eventmask

    def unregister(self, fd: Any, /) -> None:
        self._poll.unregister(fd)
        self._wanted.pop(_descriptor(fd), None)

    def poll(self, timeout: Optional[float] = None, /) -> "List[Tuple[int, int]]":
        if timeout == 0 or (timeout is not None and timeout > _LONGEST_POLL) or not _must_listen(self._wanted):
            return self._poll.poll(timeout)
        seconds = None if timeout is None or timeout < 0 else timeout / 1000
        result: "List[Tuple[int, int]]" = _poll(list(self._wanted.items()), seconds, _POLL)
        return result


class epoll:
    """As ``select.epoll``. ``poll()`` raises ``WaitInterrupted`` if the caller is stopped before anything is ready."""

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        self._epoll: Any = _select_epoll(sizehint, flags)

    @classmethod
    def fromfd(cls, fd: int, /) -> "epoll":
        made = cls.__new__(cls)
        made._epoll = _select_epoll.fromfd(fd)
        return made

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle 'select.epoll' object")

    def __getattr__(self, name: str) -> Any:  # register, modify, unregister, close, closed, fileno
        return getattr(self._epoll, name)

    def __enter__(self) -> "epoll":
        self._epoll.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._epoll.close()

    def poll(self, timeout: Optional[float] = None, maxevents: int = -1) -> Any:
        if timeout == 0 or maxevents == 0 or maxevents < -1 or not _must_listen(()):
            return self._epoll.poll(timeout, maxevents)
        deadline = Deadline(None if timeout is None or timeout < 0 else timeout)
        while wait_for_descriptor(self._epoll.fileno(), READABLE, deadline, _POLL):
            ready = self._epoll.poll(0, maxevents)
            if ready:  # else another thread was faster
                return ready
        return []


# --- selectors ---


def _selector_method(original: "Callable[..., Any]", wait: "Callable[[Any, Deadline], bool]") -> Any:
    def select(self: Any, timeout: Optional[float] = None) -> Any:
        if (timeout is not None and timeout <= 0) or not _must_listen(self._fd_to_key):
            return original(self, timeout)
        deadline = Deadline(timeout)
        while wait(self, deadline):
            ready = original(self, 0)
            if ready:
                return ready
        return []

    return select


def _wait_for_registered(self: Any, deadline: Deadline) -> bool:
    pairs = [
        (fd, (READABLE if key.events & _selectors.EVENT_READ else 0) | (WRITABLE if key.events & _selectors.EVENT_WRITE else 0))
        for fd, key in list(self._fd_to_key.items())
    ]
    return bool(_poll(pairs, deadline.left(), _SELECT))


def _wait_for_itself(self: Any, deadline: Deadline) -> bool:
    return wait_for_descriptor(self.fileno(), READABLE, deadline, _SELECT)


poll_selector_select = _selector_method(_selectors.PollSelector.select, _wait_for_registered)
select_selector_select = _selector_method(_selectors.SelectSelector.select, _wait_for_registered)


class PollSelector(_selectors.PollSelector):
    """As ``selectors.PollSelector``, with a ``select`` that a stop ends."""

    select = poll_selector_select


class SelectSelector(_selectors.SelectSelector):
    """As ``selectors.SelectSelector``, with a ``select`` that a stop ends."""

    select = select_selector_select


epoll_selector_select = _selector_method(_selectors.EpollSelector.select, _wait_for_itself)


class EpollSelector(_selectors.EpollSelector):
    """As ``selectors.EpollSelector``, with a ``select`` that a stop ends."""

    select = epoll_selector_select


DefaultSelector = EpollSelector


# --- os ---

_os_read, _os_write = _os.read, _os.write
# Pipes know this flag since Linux 6.4, sockets earlier, terminals not.
_RWF_NOWAIT: int = getattr(_os, "RWF_NOWAIT", 8)
_may_wait = _core._may_wait
_NOT_POSSIBLE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ESPIPE)


def _returns_without_input(fd: int) -> bool:
    """Whether it is a terminal that was set to return nothing after a time, or at once."""
    try:
        mode = _termios.tcgetattr(fd)
    except _termios.error:
        return False
    return not mode[3] & _termios.ICANON and mode[6][_termios.VMIN] in (0, b"\0")


def read(fd: int, length: int, /) -> bytes:
    """As ``os.read``. Raises ``WaitInterrupted`` if the caller is stopped before there is anything to read; then nothing was
    taken."""
    if not is_covered() or length <= 0 or not _may_wait(fd):
        return _os_read(fd, length)
    raise_if_stopped(_READ)
    while True:
        # Another thread may take what this one waits for, so it must not wait in the kernel.
        try:
            return _core._read_now(fd, length)
        except BlockingIOError:
            wait_for_descriptor(fd, READABLE, Deadline(None), _READ)
        except OSError as error:
            if error.errno not in _NOT_POSSIBLE:
                raise
            if _returns_without_input(fd):
                return _os_read(fd, length)
            wait_for_descriptor(fd, READABLE, Deadline(None), _READ)
            return _os_read(fd, length)


def write(fd: int, data: Any, /) -> int:
    """As ``os.write``. Raises ``WaitInterrupted`` if the caller is stopped before anything was written; else the count says how
    much was."""
    if not is_covered() or not _may_wait(fd):
        return _os_write(fd, data)
    with memoryview(data) as view, view.cast("B") as rest:
        sent = 0
        while True:
            try:
                raise_if_stopped(_WRITE)
                sent += _write_part(fd, rest[sent:])
            except Exception:
                if sent:
                    return sent  # the next call says it
                raise
            if sent >= len(rest):
                return sent


def _write_part(fd: int, rest: memoryview) -> int:
    try:
        return _os.pwritev(fd, (rest,), -1, _RWF_NOWAIT)
    except BlockingIOError:
        wait_for_descriptor(fd, WRITABLE, Deadline(None), _WRITE)
        return 0
    except OSError as error:
        if error.errno not in _NOT_POSSIBLE:
            raise
        wait_for_descriptor(fd, WRITABLE, Deadline(None), _WRITE)
        return _os_write(fd, rest[: _select.PIPE_BUF])  # a pipe that is writable takes this much without a wait


# --- fcntl ---

_flock, _lockf = _fcntl.flock, _fcntl.lockf


def _lock_file(attempt: "Callable[[], Any]") -> None:
    def once() -> Any:
        try:
            attempt()
            return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            return None

    repeat_until(once, Deadline(None), _LOCK)


def flock(fd: Any, operation: int, /) -> None:
    """As ``fcntl.flock``. Raises ``WaitInterrupted`` if the caller is stopped before the lock is free, which is looked at every
    10 ms."""
    if operation & (_fcntl.LOCK_NB | _fcntl.LOCK_UN) or not is_covered():
        return _flock(fd, operation)
    _lock_file(lambda: _flock(fd, operation | _fcntl.LOCK_NB))


def lockf(fd: Any, cmd: int, len: int = 0, start: int = 0, whence: int = 0, /) -> Any:
    """As ``fcntl.lockf``. Raises ``WaitInterrupted`` if the caller is stopped before the lock is free, which is looked at every
    10 ms."""
    if cmd & (_fcntl.LOCK_NB | _fcntl.LOCK_UN) or not is_covered():
        return _lockf(fd, cmd, len, start, whence)
    _lock_file(lambda: _lockf(fd, cmd | _fcntl.LOCK_NB, len, start, whence))

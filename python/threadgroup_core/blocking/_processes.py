# SPDX-License-Identifier: Apache-2.0
"""Commands and child processes: ``subprocess`` and the waits of ``os``."""

from __future__ import annotations

import io as _io
import os as _os
import subprocess as _subprocess
from typing import Any, AnyStr, Callable, Optional

from .. import _core
from .._types import Stopped
from ._descriptors import PollSelector, read, write
from ._waits import (
    READABLE,
    Deadline,
    is_covered,
    pause,
    raise_if_stopped,
    rebound,
    repeat_until,
    wait_for_descriptor,
)

_COMMAND, _CHILD, _START = "a command", "a child process", "the start of a command"
GRACE = 1.0
"""Seconds from the SIGTERM to the SIGKILL for a command whose ``with`` block a stop has ended."""


def _pidfd(pid: int) -> Optional[int]:
    """A descriptor that is readable once the child has ended; None where there is none."""
    try:
        return _os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


# --- Pipes ---


class _Pipe(_io.RawIOBase):
    """The end of a pipe, whose reads and writes can be stopped."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def readinto(self, buffer: Any) -> Optional[int]:
        if not is_covered():
            result: Optional[int] = self._raw.readinto(buffer)
            return result
        try:
            data = read(self._raw.fileno(), len(buffer))
        except BlockingIOError:
            return None
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> Optional[int]:
        try:
            return write(self._raw.fileno(), data)
        except BlockingIOError:
            return None

    def close(self) -> None:
        if not self.closed:
            try:
                super().close()
            finally:
                self._raw.close()

    def fileno(self) -> int:
        fd: int = self._raw.fileno()
        return fd

    def readable(self) -> bool:
        return bool(self._raw.readable())

    def writable(self) -> bool:
        return bool(self._raw.writable())

    @property
    def mode(self) -> str:
        return str(self._raw.mode)

    @property
    def name(self) -> Any:
        return self._raw.name


def _stoppable(stream: Any, bufsize: int) -> Any:
    """The same stream of a Popen over a pipe that can be stopped."""
    if isinstance(stream, _io.TextIOWrapper):
        settings: Any = dict(
            encoding=stream.encoding, errors=stream.errors, line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )  # fmt: skip
        return _io.TextIOWrapper(_stoppable(stream.detach(), bufsize), **settings)
    size = bufsize if bufsize > 1 else _io.DEFAULT_BUFFER_SIZE
    if isinstance(stream, _io.BufferedReader):
        return _io.BufferedReader(_Pipe(stream.detach()), size)
    if isinstance(stream, _io.BufferedWriter):
        return _io.BufferedWriter(_Pipe(stream.detach()), size)
    return _Pipe(stream) if isinstance(stream, _io.FileIO) else stream


# --- Popen ---

_popen_init, _popen_exit = _subprocess.Popen.__init__, _subprocess.Popen.__exit__
_popen_wait: Any = _subprocess.Popen._wait  # type: ignore[attr-defined]


def popen_init(self: Any, args: Any, bufsize: int = -1, *others: Any, **named: Any) -> None:
    if is_covered():
        raise_if_stopped(_START)
        with _core.Shield(None):  # the command is there then, and its Popen must be, too
            _popen_init(self, args, bufsize, *others, **named)
    else:
        _popen_init(self, args, bufsize, *others, **named)
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(self, name)
        if stream is not None:
            setattr(self, name, _stoppable(stream, bufsize))


def popen_wait(self: Any, timeout: Optional[float]) -> Any:
    if self.returncode is not None or not is_covered():
        return _popen_wait(self, timeout)
    deadline = Deadline(timeout)
    fd = _pidfd(self.pid)
    try:
        while self.poll() is None:
            if deadline.is_over():
                assert timeout is not None
                raise _subprocess.TimeoutExpired(self.args, timeout)
            raise_if_stopped(_COMMAND)
            # If it has ended and poll() does not know, another thread is about to say so.
            if fd is None or wait_for_descriptor(fd, READABLE, deadline, _COMMAND) and self.poll() is None:
                left = deadline.left()
                pause(0.005 if left is None else min(0.005, left), _COMMAND)
        return self.returncode
    finally:
        if fd is not None:
            _os.close(fd)


def popen_exit(self: Any, kind: Any, error: Any, traceback: Any) -> None:
    if is_covered():
        try:
            if kind is None or not issubclass(kind, Stopped):
                return _popen_exit(self, kind, error, traceback)
        except Stopped:
            _end(self)
            raise
        _end(self)
    else:
        _popen_exit(self, kind, error, traceback)


def _end(command: Any) -> None:
    """Ends the command of a stopped caller, and reaps it."""
    with _core.Shield(None):
        if command.poll() is None:
            command.terminate()
            try:
                command._wait(timeout=GRACE)
            except _subprocess.TimeoutExpired:
                command.kill()
        command._wait(timeout=None)
        for stream in (command.stdin, command.stdout, command.stderr):
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                pass  # what was not written has no reader any more


class Popen(_subprocess.Popen[AnyStr]):
    """As ``subprocess.Popen``. ``wait``, ``communicate`` and the reads and writes of the pipes raise ``WaitInterrupted`` if the caller is
    stopped; the command goes on, as after a ``TimeoutExpired``. If that leaves the ``with`` block, the command gets a SIGTERM, and
    after a second a SIGKILL."""

    __init__ = popen_init
    __exit__ = popen_exit
    _wait = popen_wait
    _communicate = rebound(_subprocess.Popen._communicate, _PopenSelector=PollSelector)  # type: ignore[attr-defined]


run = rebound(_subprocess.run, Popen=Popen)
call = rebound(_subprocess.call, Popen=Popen)
check_call = rebound(_subprocess.check_call, call=call)
check_output = rebound(_subprocess.check_output, run=run)

# --- os ---

_os_waitpid, _os_wait3, _os_wait4 = _os.waitpid, _os.wait3, _os.wait4
_os_wait, _os_waitid = _os.wait, getattr(_os, "waitid", None)


def _until_ended(attempt: "Callable[[], Any]", pid: int, options: int) -> Any:
    fd = _pidfd(pid) if pid > 0 and not options else None
    if fd is None:
        return repeat_until(attempt, Deadline(None), _CHILD)
    try:
        while (result := attempt()) is None:
            wait_for_descriptor(fd, READABLE, Deadline(None), _CHILD)
        return result
    finally:
        _os.close(fd)


def _or_none(result: Any) -> Any:
    return result if result[0] else None


def waitpid(pid: int, options: int, /) -> Any:
    """As ``os.waitpid``. Raises ``WaitInterrupted`` if the caller is stopped first; the child goes on."""
    if options & _os.WNOHANG or not is_covered():
        return _os_waitpid(pid, options)
    return _until_ended(lambda: _or_none(_os_waitpid(pid, options | _os.WNOHANG)), pid, options)


def wait4(pid: int, options: int) -> Any:
    """As ``os.wait4``, with the stop of ``waitpid``."""
    if options & _os.WNOHANG or not is_covered():
        return _os_wait4(pid, options)
    return _until_ended(lambda: _or_none(_os_wait4(pid, options | _os.WNOHANG)), pid, options)


def wait3(options: int) -> Any:
    """As ``os.wait3``, with the stop of ``waitpid``."""
    return wait4(-1, options)


def wait() -> Any:
    """As ``os.wait``, with the stop of ``waitpid``."""
    return waitpid(-1, 0)


def waitid(idtype: int, id: int, options: int, /) -> Any:
    """As ``os.waitid``, with the stop of ``waitpid``."""
    assert _os_waitid is not None
    waits = _os_waitid
    if options & _os.WNOHANG or not is_covered():
        return waits(idtype, id, options)
    pid = id if idtype == _os.P_PID and options == _os.WEXITED else -1
    return _until_ended(lambda: waits(idtype, id, options | _os.WNOHANG), pid, 0)

# SPDX-License-Identifier: Apache-2.0
"""Commands and child processes: ``subprocess`` and the waits of ``os``."""

from __future__ import annotations

import io as _io
import os as _os
import subprocess as _subprocess
from typing import Any, AnyStr, Callable, List, Optional, Tuple

from .. import _core
from .._types import Stopped
from ._descriptors import PollSelector, read, write
from ._waits import (
    READABLE,
    Deadline,
    is_covered,
    pause,
    pauses,
    poll,
    raise_if_stopped,
    rebound,
    repeat_until,
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
        self._kept = b""  # what a stopped read had

    def keep(self, data: bytes) -> None:
        """The next read begins with this."""
        self._kept = data + self._kept

    def readall(self) -> Any:
        if not is_covered():
            kept, self._kept = self._kept, b""
            return kept + (self._raw.readall() or b"") if kept else self._raw.readall()
        parts: "List[bytes]" = []
        try:
            while part := self.read(_io.DEFAULT_BUFFER_SIZE * 8):
                parts.append(part)
        except BaseException:
            self.keep(b"".join(parts))
            raise
        return b"".join(parts) if parts or part is not None else None

    def readinto(self, buffer: Any) -> Optional[int]:
        if self._kept:
            count = min(len(buffer), len(self._kept))
            buffer[:count], self._kept = self._kept[:count], self._kept[count:]
            return count
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


class _Reader(_io.BufferedReader):
    """Its reads lose nothing when they are stopped: they take what there is, and give back what they have so far."""

    def _collect(self, take: "Callable[[], Tuple[bytes, bool]]") -> bytes:
        parts: "List[bytes]" = []
        try:
            is_done = False
            while not is_done:
                part, is_done = take()
                parts.append(part)
        except BaseException:
            # Only a read of the pipe raises, and the buffer is empty then.
            self.raw.keep(b"".join(parts))  # type: ignore[attr-defined]
            raise
        return b"".join(parts)

    def read(self, size: Optional[int] = -1, /) -> bytes:
        if not is_covered() or size == 0:
            return super().read(size)
        left = None if size is None or size < 0 else size

        def take() -> "Tuple[bytes, bool]":
            nonlocal left
            part = self.read1(_io.DEFAULT_BUFFER_SIZE * 8 if left is None else left)
            if left is not None:
                left -= len(part)
            return part, not part or left == 0

        return self._collect(take)

    def readline(self, size: Optional[int] = -1, /) -> bytes:
        if not is_covered() or size == 0:
            return super().readline(size)
        left = None if size is None or size < 0 else size

        def take() -> "Tuple[bytes, bool]":
            nonlocal left
            there = self.peek(1)[:left]
            end = there.find(b"\n") + 1
            part = self.read1(end or len(there)) if there else b""
            if left is not None:
                left -= len(part)
            return part, not part or bool(end) or left == 0

        return self._collect(take)

    def readinto(self, buffer: Any, /) -> int:
        if not is_covered():
            return super().readinto(buffer)
        with memoryview(buffer) as view, view.cast("B") as room:
            data = self.read(len(room))
            room[: len(data)] = data
        return len(data)


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
        return _Reader(_Pipe(stream.detach()), size)
    if isinstance(stream, _io.BufferedWriter):
        return _io.BufferedWriter(_Pipe(stream.detach()), size)
    return _Pipe(stream) if isinstance(stream, _io.FileIO) else stream


# --- Popen ---

_popen_init, _popen_exit = _subprocess.Popen.__init__, _subprocess.Popen.__exit__
_popen_communicate = _subprocess.Popen.communicate
_popen_wait: Any = _subprocess.Popen._wait  # type: ignore[attr-defined]


def popen_init(self: Any, args: Any, bufsize: Optional[int] = -1, *others: Any, **named: Any) -> None:
    if bufsize is None:
        bufsize = -1  # as the original does
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
    delays = pauses(deadline)
    fd = _pidfd(self.pid)
    try:
        while self.poll() is None:
            if deadline.is_over():
                assert timeout is not None
                raise _subprocess.TimeoutExpired(self.args, timeout)
            raise_if_stopped(_COMMAND)
            # If it has ended and poll() does not know, another thread is about to say so.
            if fd is None or poll(((fd, READABLE),), deadline.left(), _COMMAND) and self.poll() is None:
                pause(next(delays), _COMMAND)
        return self.returncode
    finally:
        if fd is not None:
            _os.close(fd)


def popen_communicate(self: Any, input: Any = None, timeout: Optional[float] = None) -> Any:
    """As ``Popen.communicate``. What a stopped call had read is returned by the next one."""
    if timeout is not None or self._communication_started or not is_covered():
        return _popen_communicate(self, input, timeout)
    # The original reads a single pipe without keeping what it has.
    try:
        result = self._communicate(input, None, None)
    finally:
        self._communication_started = True
    self.wait()
    return result


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
                    # Without what is in its buffer: a reader may be left, and not read, and then a flush would wait.
                    buffered = getattr(stream, "buffer", stream)
                    getattr(buffered, "raw", buffered).close()
                    stream.close()
            except (OSError, ValueError):
                pass


class Popen(_subprocess.Popen[AnyStr]):
    """As ``subprocess.Popen``. ``wait``, ``communicate`` and the reads and writes of the pipes raise ``WaitInterrupted`` if the caller is
    stopped; the command goes on, as after a ``TimeoutExpired``. If that leaves the ``with`` block, the command gets a SIGTERM, and
    after a second a SIGKILL."""

    __init__ = popen_init
    __exit__ = popen_exit
    _wait = popen_wait
    communicate = popen_communicate
    _communicate = rebound(_subprocess.Popen._communicate, _PopenSelector=PollSelector)  # type: ignore[attr-defined]


run = rebound(_subprocess.run, Popen=Popen)
call = rebound(_subprocess.call, Popen=Popen)
check_call = rebound(_subprocess.check_call, call=call)
check_output = rebound(_subprocess.check_output, run=run)

# --- os ---

_os_waitpid, _os_wait3, _os_wait4 = _os.waitpid, _os.wait3, _os.wait4
_os_waitid = _os.waitid


def _until_ended(attempt: "Callable[[], Any]", pid: int, options: int) -> Any:
    fd = _pidfd(pid) if pid > 0 and not options else None
    if fd is None:
        return repeat_until(attempt, Deadline(None), _CHILD)
    try:
        while (result := attempt()) is None:
            poll(((fd, READABLE),), None, _CHILD)
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
    if options & _os.WNOHANG or not is_covered():
        return _os_waitid(idtype, id, options)
    pid = id if idtype == _os.P_PID and options == _os.WEXITED else -1
    return _until_ended(lambda: _os_waitid(idtype, id, options | _os.WNOHANG), pid, 0)

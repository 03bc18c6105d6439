# SPDX-License-Identifier: Apache-2.0
"""Sockets whose calls can be stopped.

A call of a caller that can be stopped is made so that it never waits in the kernel, and the wait is a poll of the socket and the
caller's stop. The socket's own descriptor keeps its mode (``MSG_DONTWAIT`` is a flag of the call), for other threads and processes
may use it. So what was not taken stays in the socket: a stop loses no byte.
"""

from __future__ import annotations

import _socket
import errno
import os as _os
import socket as _stdlib
import stat as _stat
import struct
from select import poll as _poll
from typing import Any, Callable, Dict, List, Optional, Tuple

from .. import _plain
from .._types import Stopped
from ._waits import (
    READABLE,
    WRITABLE,
    Deadline,
    error_of,
    is_covered,
    pause,
    pauses,
    raise_if_stopped,
    repeat_until,
    wait_for_descriptor,
)

_RECEIVE, _SEND, _ACCEPT, _CONNECT = "data from a socket", "room in a socket", "a connection", "the peer of a connect"
# As plain numbers: those of `socket` are enumerations, which take microseconds to combine.
_WAIT_ALL, _DONT_WAIT, _STREAM = int(_stdlib.MSG_WAITALL), int(_stdlib.MSG_DONTWAIT), int(_stdlib.SOCK_STREAM)
_DOES_NOT_WAIT = _DONT_WAIT | int(_stdlib.MSG_ERRQUEUE)
_PEEK = int(_stdlib.MSG_PEEK)

_TIMEVAL = struct.Struct("@ll")

_Base = _socket.socket
# Without the enumerations that the properties of `socket.socket` make.
_family, _type, _proto = (vars(_Base)[name].__get__ for name in ("family", "type", "proto"))
_accept: Any = vars(_Base)["_accept"]
_stdlib_accept, _stdlib_sendfile = _stdlib.socket.accept, _stdlib.socket.sendfile


class _Twin(_Base):
    """Makes calls on the descriptor of a socket that never wait: it has no time-out, and no Python code of a subclass."""

    __slots__ = ()

    def __del__(self) -> None:
        """The descriptor is not its own, and is not closed with it."""


def _number(sock: Any) -> int:
    fd: int = sock.fileno()
    if fd < 0:
        raise error_of(errno.EBADF)
    return fd


def _check_is_same(twin: Any, sock: Any) -> None:
    """Another thread may have closed the socket, and its number may be that of something else now."""
    if twin is not sock and twin.fileno() != sock.fileno():
        raise error_of(errno.EBADF)


def _twin(sock: Any) -> Any:
    fd = _number(sock)
    if _socket.getdefaulttimeout() is None:
        return _Twin(_family(sock), _type(sock), _proto(sock), fd)
    mode = _os.get_blocking(fd)  # a time-out by default changes it
    twin = _Twin(_family(sock), _type(sock), _proto(sock), fd)
    twin.settimeout(None)
    _os.set_blocking(fd, mode)
    return twin


def _that_never_waits(sock: Any, timeout: Optional[float]) -> Any:
    """Calls with ``MSG_DONTWAIT`` on this socket fail instead of waiting. The methods of one with a time-out wait before the call."""
    return sock if timeout is None else _twin(sock)


def _must_wait_here(sock: Any, flags: int = 0) -> bool:
    """Whether the call may wait, and a stop is to end it."""
    return is_covered() and sock.gettimeout() != 0 and not flags & _DOES_NOT_WAIT


def _of_the_kernel(sock: Any, events: int) -> Optional[float]:
    """The time-out that the option of the socket says. The kernel ends a call by EAGAIN then."""
    option = _stdlib.SO_RCVTIMEO if events == READABLE else _stdlib.SO_SNDTIMEO
    seconds, micros = _TIMEVAL.unpack(sock.getsockopt(_stdlib.SOL_SOCKET, option, _TIMEVAL.size))
    return seconds + micros / 1e6 if seconds or micros else None


def _deadline(sock: Any, events: int) -> Deadline:
    timeout = sock.gettimeout()
    return Deadline(_of_the_kernel(sock, events) if timeout is None else timeout)


def _wait(sock: Any, events: int, deadline: Deadline, what: str) -> None:
    if not wait_for_descriptor(_number(sock), events, deadline, what):
        if sock.gettimeout() is None:
            raise error_of(errno.EAGAIN)
        raise _stdlib.timeout("timed out")


def _repeat(sock: Any, events: int, what: str, deadline: Deadline, method: "Callable[..., Any]", target: Any, *args: Any) -> Any:
    """The result of the method, once it does not have to wait."""
    delays = pauses(deadline)
    has_waited = False
    while True:
        raise_if_stopped(what)
        _check_is_same(target, sock)
        try:
            return method(target, *args)
        except BlockingIOError:
            pass
        _wait(sock, events, deadline, what)
        if events == WRITABLE and has_waited:
            # A local datagram socket is said to be writable while its receiver is full.
            pause(next(delays), what)
        has_waited = True


def _once(sock: Any, events: int, what: str, method: "Callable[..., Any]", *args: Any) -> Any:
    raise_if_stopped(what)
    target = _that_never_waits(sock, sock.gettimeout())
    try:
        return method(target, *args)
    except BlockingIOError:
        return _repeat(sock, events, what, _deadline(sock, events), method, target, *args)


def _takes_all(sock: Any, flags: int) -> bool:
    """Whether the call waits for as much as it was asked for: the kernel does so for streams only."""
    return bool(flags & _WAIT_ALL) and _type(sock) == _STREAM


def _cannot_be_stopped(sock: Any, flags: int) -> bool:
    """What is to see or take the whole amount in one call cannot be put together from several ones."""
    return not _must_wait_here(sock, flags) or _takes_all(sock, flags)


# --- Receiving ---


def recv(self: Any, bufsize: int, flags: int = 0, /) -> bytes:
    if not _must_wait_here(self, flags) or bufsize < 0:
        return _Base.recv(self, bufsize, flags)
    if _takes_all(self, flags):
        if flags & _PEEK:
            return _Base.recv(self, bufsize, flags)
        room = bytearray(bufsize)
        return bytes(memoryview(room)[: recv_into(self, room, 0, flags)])
    result: bytes = _once(self, READABLE, _RECEIVE, _Base.recv, bufsize, flags | _DONT_WAIT)
    return result


def recv_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
    if not _must_wait_here(self, flags):
        return _Base.recv_into(self, buffer, nbytes, flags)
    if _takes_all(self, flags) and flags & _PEEK:
        return _Base.recv_into(self, buffer, nbytes, flags)
    if not _takes_all(self, flags):
        one: int = _once(self, READABLE, _RECEIVE, _Base.recv_into, buffer, nbytes, flags | _DONT_WAIT)
        return one
    timeout = self.gettimeout()
    target, deadline = _that_never_waits(self, timeout), _deadline(self, READABLE)
    with memoryview(buffer) as view, view.cast("B") as room:
        wanted, got = nbytes or len(room), 0
        while got < wanted:
            try:
                part = _repeat(
                    self, READABLE, _RECEIVE, deadline, _Base.recv_into, target, room[got:wanted], 0, flags | _DONT_WAIT
                )
            except Exception:
                if got:
                    break  # as the kernel does: what is there, and the next call says why
                raise
            got += part
            if not part:
                break
        return got


def recvfrom(self: Any, bufsize: int, flags: int = 0, /) -> Any:
    if _cannot_be_stopped(self, flags):
        return _Base.recvfrom(self, bufsize, flags)
    return _once(self, READABLE, _RECEIVE, _Base.recvfrom, bufsize, flags | _DONT_WAIT)


def recvfrom_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> Any:
    if _cannot_be_stopped(self, flags):
        return _Base.recvfrom_into(self, buffer, nbytes, flags)
    return _once(self, READABLE, _RECEIVE, _Base.recvfrom_into, buffer, nbytes, flags | _DONT_WAIT)


def recvmsg(self: Any, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> Any:
    if _cannot_be_stopped(self, flags):
        return _Base.recvmsg(self, bufsize, ancbufsize, flags)
    return _once(self, READABLE, _RECEIVE, _Base.recvmsg, bufsize, ancbufsize, flags | _DONT_WAIT)


def recvmsg_into(self: Any, buffers: Any, ancbufsize: int = 0, flags: int = 0, /) -> Any:
    if _cannot_be_stopped(self, flags):
        return _Base.recvmsg_into(self, buffers, ancbufsize, flags)
    buffers = list(buffers)  # it may be an iterator, and the call may be made twice
    return _once(self, READABLE, _RECEIVE, _Base.recvmsg_into, buffers, ancbufsize, flags | _DONT_WAIT)


# --- Sending ---


def _is_waiting_stream(sock: Any) -> bool:
    # A blocking socket takes all or fails, one with a time-out what there is room for.
    return sock.gettimeout() is None and _type(sock) == _STREAM


def send(self: Any, data: Any, flags: int = 0, /) -> int:
    if not _must_wait_here(self, flags):
        return _Base.send(self, data, flags)
    sent: int = _once(self, WRITABLE, _SEND, _Base.send, data, flags | _DONT_WAIT)
    return _send_rest(self, data, sent, flags) if _is_waiting_stream(self) else sent


def _send_rest(sock: Any, data: Any, sent: int, flags: int) -> int:
    """The count of all that is sent, after the first call has sent a part. As in the kernel, nothing is raised then: the next call says
    what is wrong."""
    with memoryview(data) as view, view.cast("B") as octets:
        try:
            while sent < len(octets):
                sent += _once(sock, WRITABLE, _SEND, _Base.send, octets[sent:], flags | _DONT_WAIT)
        except (Stopped, OSError):
            pass
    return sent


def sendall(self: Any, data: Any, flags: int = 0, /) -> None:
    """As ``socket.sendall``. The ``WaitInterrupted`` of a stop has the number of the bytes that were sent in ``bytes_sent``."""
    if not _must_wait_here(self, flags):
        return _Base.sendall(self, data, flags)
    timeout = self.gettimeout()
    target, deadline, sent = _that_never_waits(self, timeout), _deadline(self, WRITABLE), 0
    with memoryview(data) as view, view.cast("B") as octets:
        try:
            while sent < len(octets):
                sent += _repeat(self, WRITABLE, _SEND, deadline, _Base.send, target, octets[sent:], flags | _DONT_WAIT)
        except Stopped as stopped:
            stopped.bytes_sent = sent  # type: ignore[attr-defined]
            raise


def sendto(self: Any, data: Any, *flags_and_address: Any) -> int:
    flags, address = (0, *flags_and_address)[-2:] if 1 <= len(flags_and_address) <= 2 else (_DONT_WAIT, None)
    if not isinstance(flags, int) or not _must_wait_here(self, flags):
        return _Base.sendto(self, data, *flags_and_address)
    sent: int = _once(self, WRITABLE, _SEND, _Base.sendto, data, flags | _DONT_WAIT, address)
    return sent


def sendmsg(self: Any, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
    if not _must_wait_here(self, flags):
        return _Base.sendmsg(self, buffers, ancdata, flags, address)
    buffers = list(buffers)  # as above
    sent: int = _once(self, WRITABLE, _SEND, _Base.sendmsg, buffers, ancdata, flags | _DONT_WAIT, address)
    if _is_waiting_stream(self) and sent < sum(memoryview(one).nbytes for one in buffers):
        return _send_rest(self, b"".join(buffers), sent, flags)
    return sent


class _AsSentByKernel:
    """A file on a disk as ``os.sendfile`` sends it: from the offset on, whatever the file's position. ``seek`` moves the file itself."""

    def __init__(self, file: Any, fd: int, offset: int) -> None:
        self._file, self._fd, self._at = file, fd, offset
        file.seek(offset)

    def read(self, size: int) -> bytes:
        data = _os.pread(self._fd, size, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int) -> None:
        self._file.seek(offset)


def _source(file: Any, offset: int) -> Any:
    try:
        fd = file.fileno()
        is_on_disk = _stat.S_ISREG(_os.fstat(fd).st_mode)
    except (AttributeError, OSError):
        return file
    return _AsSentByKernel(file, fd, offset) if is_on_disk else file


def sendfile(self: Any, file: Any, offset: int = 0, count: Optional[int] = None) -> int:
    if not _must_wait_here(self):
        return _stdlib_sendfile(self, file, offset, count)
    self._check_sendfile_params(file, offset, count)
    sent: int = self._sendfile_use_send(_source(file, offset), offset, count)
    return sent


# --- Connections ---


# How many calls are in `accept`, and whether the listener was blocking before, by its inode: descriptors share that mode.
_accepting: "Dict[int, List[Any]]" = {}
_accepting_lock = _plain.Lock()


def _after_fork_in_child() -> None:
    global _accepting_lock
    _accepting_lock = _plain.Lock()
    _accepting.clear()


_os.register_at_fork(after_in_child=_after_fork_in_child)


def _accept_now(sock: Any) -> Any:
    """This call has no flag, and threads that accept at the same time must not wait in the kernel for what another one took. So the
    listener is non-blocking for the moment of the call."""
    fd = _number(sock)
    listener, entry = _os.fstat(fd).st_ino, None
    try:
        with _accepting_lock:
            entry = _accepting.setdefault(listener, [0, _os.get_blocking(fd)])
            entry[0] += 1
            _os.set_blocking(fd, False)
        return _accept(sock)
    finally:
        if entry is not None:
            with _accepting_lock:
                entry[0] -= 1
                if not entry[0]:
                    del _accepting[listener]
                    if entry[1] and sock.fileno() == fd:
                        _os.set_blocking(fd, True)


def accept(self: Any) -> "Tuple[Any, Any]":
    if not _must_wait_here(self):
        while True:
            try:
                return _stdlib_accept(self)
            except BlockingIOError:
                if self.gettimeout() is not None:
                    raise
                poll = _poll()  # another thread was in `_accept_now` in this moment
                poll.register(self.fileno(), READABLE)
                poll.poll()
    fd, address = _once(self, READABLE, _ACCEPT, _accept_now)
    made = (socket if isinstance(self, socket) else _stdlib.socket)(_family(self), _type(self), _proto(self), fileno=fd)
    if _socket.getdefaulttimeout() is None and self.gettimeout():
        made.setblocking(True)
    return made, address


def _connect(sock: Any, address: Any) -> int:
    """An error number, or 0. After a stop the connection is made in the background, as POSIX says for an interrupted connect."""
    fd, deadline = _number(sock), Deadline(sock.gettimeout())
    raise_if_stopped(_CONNECT)
    twin: _Twin = _twin(sock)
    mode = _os.get_blocking(fd)

    def attempt() -> Optional[int]:
        _check_is_same(twin, sock)
        error = twin.connect_ex(address)
        return None if error == errno.EAGAIN else error  # the backlog of a local socket is full, which poll does not tell

    try:
        _os.set_blocking(fd, False)
        error: Optional[int] = repeat_until(attempt, deadline, _CONNECT)
        if error != errno.EINPROGRESS:
            return errno.EAGAIN if error is None else error
        _wait(sock, WRITABLE, deadline, _CONNECT)
        _check_is_same(twin, sock)
        return twin.getsockopt(_stdlib.SOL_SOCKET, _stdlib.SO_ERROR)
    finally:
        if mode and sock.fileno() == fd:
            _os.set_blocking(fd, True)


def connect(self: Any, address: Any, /) -> None:
    if not _must_wait_here(self):
        return _Base.connect(self, address)
    error = _connect(self, address)
    if error == errno.EAGAIN and self.gettimeout() is not None:
        raise _stdlib.timeout("timed out")
    if error:
        raise error_of(error)


def connect_ex(self: Any, address: Any, /) -> int:
    if not _must_wait_here(self):
        return _Base.connect_ex(self, address)
    try:
        return _connect(self, address)
    except _stdlib.timeout:
        return errno.EWOULDBLOCK


METHODS: "Dict[str, Any]" = {
    each.__name__: each
    for each in (
        recv, recv_into, recvfrom, recvfrom_into, recvmsg, recvmsg_into, send, sendall, sendto, sendmsg, sendfile, accept, connect,
        connect_ex,
    )
}  # fmt: skip


class socket(_stdlib.socket):
    """As ``socket.socket``. Its calls raise ``WaitInterrupted`` if the caller is stopped; what they have not returned is still in the
    socket, and what they have not sent was not sent. So do the reads and writes of ``makefile()``."""

    __slots__ = ()


for _name, _method in METHODS.items():
    setattr(socket, _name, _method)

# SPDX-License-Identifier: Apache-2.0
"""TLS sockets whose calls can be stopped.

OpenSSL waits in the kernel unless the descriptor is non-blocking. So once it speaks TLS, the socket is non-blocking, for all threads, and
its time-out is kept here.
"""

from __future__ import annotations

import _socket
import errno
import os as _os
import socket as _stdlib
import ssl as _ssl
from typing import Any, Callable, Optional

from .._types import Stopped
from ._sockets import socket
from ._waits import READABLE, WRITABLE, Deadline, is_covered, raise_if_stopped, wait_for_descriptor

_Base: Any = _socket.socket
_MOST_IN_A_RECORD = 16384
_RECORD = "the peer of a TLS connection"
_KEPT = "_kept_time_out"
_NOTHING = object()


class SSLSocket(_ssl.SSLSocket, socket):
    """As ``ssl.SSLSocket``. Its calls raise ``WaitInterrupted`` if the caller is stopped.

        context.sslsocket_class = threadgroup_core.blocking.SSLSocket

    A stopped ``recv`` has taken nothing. After a stopped handshake, ``send`` or ``unwrap`` a part of a record may be on its way: close
    the connection then.
    """

    # The time-out is kept in the object's dictionary, whose methods are single steps: a lock could be asked for by a destructor in
    # the thread that holds it.

    def _manage(self) -> None:
        if self._sslobj is not None and _KEPT not in vars(self):  # type: ignore[attr-defined]
            # Of threads that come here together, the first one has asked before any of them changes the mode.
            vars(self).setdefault(_KEPT, _Base.gettimeout(self))
            _Base.settimeout(self, 0.0)

    def _stop_managing(self) -> None:
        kept = vars(self).pop(_KEPT, _NOTHING)
        if kept is not _NOTHING:
            _Base.settimeout(self, kept)

    def gettimeout(self) -> Optional[float]:
        kept = vars(self).get(_KEPT, _NOTHING)
        result: Optional[float] = _Base.gettimeout(self) if kept is _NOTHING else kept
        return result

    def settimeout(self, value: Optional[float], /) -> None:
        if _KEPT not in vars(self):
            _Base.settimeout(self, value)
            return
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        vars(self)[_KEPT] = value if value is None else float(value)

    @property
    def timeout(self) -> Optional[float]:
        return self.gettimeout()

    def setblocking(self, flag: bool, /) -> None:
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        return self.gettimeout() != 0

    def _until_done(self, timeout: Optional[float], call: "Callable[[], Any]", operation: str) -> Any:
        deadline, fd = Deadline(timeout), self.fileno()
        tls = self._sslobj  # type: ignore[attr-defined]
        while True:
            if timeout != 0:
                raise_if_stopped(_RECORD)
            try:
                return call()
            except _ssl.SSLWantReadError:
                if timeout == 0:
                    raise
                events = READABLE
            except _ssl.SSLWantWriteError:
                if timeout == 0:
                    raise
                events = WRITABLE
            if not wait_for_descriptor(fd, events, deadline, _RECORD):
                raise _stdlib.timeout(f"The {operation} operation timed out")
            # Another thread may have unwrapped or closed the socket, and its number may be that of something else now.
            if self._sslobj is not tls or self.fileno() != fd:  # type: ignore[attr-defined]
                raise OSError(errno.EBADF, _os.strerror(errno.EBADF))

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        self._manage()
        base: Any = super()
        tls = self._sslobj  # type: ignore[attr-defined]
        try:
            return self._until_done(self.gettimeout(), lambda: base.read(len, buffer), "read")
        except (OSError, ValueError):
            if tls is None or self._sslobj is not None:  # type: ignore[attr-defined]
                raise
            return b"" if buffer is None else 0  # another thread has ended TLS meanwhile, and with it the data

    def write(self, data: Any) -> int:
        self._manage()
        base: Any = super()
        count: int = self._until_done(self.gettimeout(), lambda: base.write(data), "write")
        return count

    def send(self, data: Any, flags: int = 0) -> int:
        if self._sslobj is None or flags:  # type: ignore[attr-defined]
            return super().send(data, flags)
        return self.write(data)  # which never sends plain text, even if another thread unwraps the socket meanwhile

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As ``ssl.SSLSocket.sendall``. The ``WaitInterrupted`` of a stop has the number of the bytes that were given to TLS in
        ``bytes_sent``."""
        if self._sslobj is None or flags:  # type: ignore[attr-defined]
            return super().sendall(data, flags)
        with memoryview(data) as view, view.cast("B") as octets:
            # OpenSSL takes all that it is given, or cannot say how much it took.
            sent, most = 0, _MOST_IN_A_RECORD if is_covered() else len(octets)
            try:
                while sent < len(octets):
                    sent += self.write(octets[sent : sent + most])
            except Stopped as stopped:
                stopped.bytes_sent = sent  # type: ignore[attr-defined]
                raise

    def do_handshake(self, block: bool = False) -> None:
        self._check_connected()  # type: ignore[attr-defined]
        self._manage()
        timeout = self.gettimeout()
        self._until_done(None if block and timeout == 0 else timeout, self._sslobj.do_handshake, "handshake")  # type: ignore[attr-defined]

    def unwrap(self) -> Any:
        self._manage()
        base: Any = super()
        plain = self._until_done(self.gettimeout(), lambda: base.unwrap(), "shutdown")
        self._stop_managing()
        return plain

    def shutdown(self, how: int) -> None:
        super().shutdown(how)
        self._stop_managing()

# SPDX-License-Identifier: Apache-2.0
"""TLS sockets whose calls can be stopped.

OpenSSL waits in the kernel unless the descriptor is non-blocking. So once it speaks TLS, the socket is non-blocking, for all threads, and
its time-out is kept here.
"""

from __future__ import annotations

import _socket
import errno
import socket as _stdlib
import ssl as _ssl
from typing import Any, Callable, Optional

from .._types import Stopped
from ._sockets import socket
from ._waits import READABLE, WRITABLE, Deadline, error_of, is_covered, raise_if_stopped, wait_for_descriptor

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
    # the thread that holds it. The handler of a signal can raise between any two steps, so each is made again by the next call.

    _sslobj: Any = None  # that of the original: None before TLS begins, and after it has ended

    def _manage(self) -> None:
        if self._sslobj is None:
            return
        kept = vars(self).get(_KEPT, _NOTHING)
        if kept is _NOTHING:
            # Of threads that come here together, the first one has asked before any of them changes the mode.
            kept = vars(self).setdefault(_KEPT, _Base.gettimeout(self))
        if _Base.gettimeout(self) != 0:
            _Base.settimeout(self, 0.0)
        if self._sslobj is None:
            self._give_back(kept)  # another thread has ended TLS meanwhile, and may have done so before the mode was changed

    def _give_back(self, kept: Optional[float]) -> None:
        if self.fileno() >= 0:  # else another thread has closed it
            _Base.settimeout(self, kept)
        vars(self).pop(_KEPT, None)

    def _stop_managing(self) -> None:
        kept = vars(self).get(_KEPT, _NOTHING)
        if kept is not _NOTHING:
            self._give_back(kept)

    def gettimeout(self) -> Optional[float]:
        kept = vars(self).get(_KEPT, _NOTHING)
        result: Optional[float] = _Base.gettimeout(self) if kept is _NOTHING else kept
        return result

    def settimeout(self, value: Optional[float], /) -> None:
        self._manage()  # so that it is set in one place as long as TLS goes on
        if _KEPT not in vars(self):
            _Base.settimeout(self, value)
            return
        if value is not None and not value >= 0:
            raise ValueError("Timeout value out of range" if value < 0 else "Invalid value NaN (not a number)")
        kept = value if value is None else float(value)
        vars(self)[_KEPT] = kept
        if self._sslobj is None:
            self._give_back(kept)

    @property
    def timeout(self) -> Optional[float]:
        return self.gettimeout()

    def setblocking(self, flag: bool, /) -> None:
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        return self.gettimeout() != 0

    def _until_done(self, timeout: Optional[float], call: "Callable[[], Any]", operation: str) -> Any:
        deadline, fd = Deadline(timeout), self.fileno()
        tls = self._sslobj
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
            if self._sslobj is not tls or self.fileno() != fd:
                raise error_of(errno.EBADF)

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        base: Any = super()
        tls = self._sslobj
        try:
            self._manage()
            return self._until_done(self.gettimeout(), lambda: base.read(len, buffer), "read")
        except (OSError, ValueError):
            if tls is None or self._sslobj is not None:
                raise
            return b"" if buffer is None else 0  # another thread has ended TLS meanwhile: no more data

    def write(self, data: Any) -> int:
        self._manage()
        base: Any = super()
        count: int = self._until_done(self.gettimeout(), lambda: base.write(data), "write")
        return count

    def send(self, data: Any, flags: int = 0) -> int:
        if self._sslobj is None or flags:
            return super().send(data, flags)
        return self.write(data)  # which never sends plain text, even if another thread unwraps the socket meanwhile

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As ``ssl.SSLSocket.sendall``. The ``WaitInterrupted`` of a stop has the number of the bytes that were given to TLS in
        ``bytes_sent``."""
        if self._sslobj is None or flags:
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
        self._until_done(None if block and timeout == 0 else timeout, self._sslobj.do_handshake, "handshake")

    def unwrap(self) -> Any:
        self._manage()
        base: Any = super()
        try:
            return self._until_done(self.gettimeout(), lambda: base.unwrap(), "shutdown")
        finally:
            if self._sslobj is None:
                self._stop_managing()

    def shutdown(self, how: int) -> None:
        try:
            super().shutdown(how)
        finally:
            self._stop_managing()

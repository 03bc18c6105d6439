# SPDX-License-Identifier: Apache-2.0
"""TLS sockets whose calls can be stopped.

OpenSSL waits in the kernel unless the descriptor is non-blocking. So once it speaks TLS, the socket is non-blocking, for all threads, and
its time-out is kept here.
"""

from __future__ import annotations

import _socket
import socket as _stdlib
import ssl as _ssl
from typing import Any, Callable, Optional

from .._types import Stopped
from ._sockets import socket
from ._waits import READABLE, WRITABLE, Deadline, is_covered, raise_if_stopped, wait_for_descriptor

_Base: Any = _socket.socket
_MOST_IN_A_RECORD = 16384
_RECORD = "the peer of a TLS connection"


class SSLSocket(_ssl.SSLSocket, socket):
    """As ``ssl.SSLSocket``. Its calls raise ``WaitInterrupted`` if the caller is stopped.

        context.sslsocket_class = threadgroup_core.blocking.SSLSocket

    A stopped ``recv`` has taken nothing. After a stopped handshake, ``send`` or ``unwrap`` a part of a record may be on its way: close
    the connection then.
    """

    _is_managed = False  # the time-out is kept here
    _time_out: Optional[float] = None

    def _manage(self) -> None:
        if not self._is_managed:
            self._time_out = _Base.gettimeout(self)
            _Base.settimeout(self, 0.0)
            self._is_managed = True

    def _stop_managing(self) -> None:
        if self._is_managed:
            self._is_managed = False
            _Base.settimeout(self, self._time_out)

    def gettimeout(self) -> Optional[float]:
        result: Optional[float] = self._time_out if self._is_managed else _Base.gettimeout(self)
        return result

    def settimeout(self, value: Optional[float], /) -> None:
        if not self._is_managed:
            _Base.settimeout(self, value)
            return
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._time_out = value if value is None else float(value)

    @property
    def timeout(self) -> Optional[float]:
        return self.gettimeout()

    def setblocking(self, flag: bool, /) -> None:
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        return self.gettimeout() != 0

    def _until_done(self, timeout: Optional[float], call: "Callable[[], Any]", operation: str) -> Any:
        deadline = Deadline(timeout)
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
            if not wait_for_descriptor(self.fileno(), events, deadline, _RECORD):
                raise _stdlib.timeout(f"The {operation} operation timed out")

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        self._manage()
        base: Any = super()
        return self._until_done(self._time_out, lambda: base.read(len, buffer), "read")

    def write(self, data: Any) -> int:
        self._manage()
        base: Any = super()
        count: int = self._until_done(self._time_out, lambda: base.write(data), "write")
        return count

    def send(self, data: Any, flags: int = 0) -> int:
        if self._sslobj is None:  # type: ignore[attr-defined]
            return super().send(data, flags)
        self._manage()
        base: Any = super()
        count: int = self._until_done(self._time_out, lambda: base.send(data, flags), "write")
        return count

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As ``ssl.SSLSocket.sendall``. The ``WaitInterrupted`` of a stop has the number of the bytes that were given to TLS in
        ``bytes_sent``."""
        if self._sslobj is None:  # type: ignore[attr-defined]
            return super().sendall(data, flags)
        with memoryview(data) as view, view.cast("B") as octets:
            # OpenSSL takes all that it is given, or cannot say how much it took.
            sent, most = 0, _MOST_IN_A_RECORD if is_covered() else len(octets)
            try:
                while sent < len(octets):
                    sent += self.send(octets[sent : sent + most], flags)
            except Stopped as stopped:
                stopped.bytes_sent = sent  # type: ignore[attr-defined]
                raise

    def do_handshake(self, block: bool = False) -> None:
        self._check_connected()  # type: ignore[attr-defined]
        self._manage()
        timeout = None if block and self._time_out == 0 else self._time_out
        self._until_done(timeout, self._sslobj.do_handshake, "handshake")  # type: ignore[attr-defined]

    def unwrap(self) -> Any:
        self._manage()
        base: Any = super()
        plain = self._until_done(self._time_out, lambda: base.unwrap(), "shutdown")
        self._stop_managing()
        return plain

    def shutdown(self, how: int) -> None:
        super().shutdown(how)
        self._stop_managing()

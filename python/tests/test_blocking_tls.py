# SPDX-License-Identifier: Apache-2.0
"""TLS connections in tasks and scopes, with the replacements in place."""

import concurrent.futures
import contextlib
import itertools
import math
import os
import socket
import ssl
import sys
import threading

import pytest

from blocking_cases import BlockedCall, silent_server, stopped, wait_until
from threadgroup_core import StopScope, ThreadGroup
from threadgroup_core.blocking import _ssl

CERTIFICATE = os.path.join(os.path.dirname(__file__), "localhost.pem")


def tls_pair():
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=CERTIFICATE)
    server.load_cert_chain(CERTIFICATE)
    one, other = socket.socketpair()
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        accepted = executor.submit(server.wrap_socket, other, server_side=True)
        return client.wrap_socket(one, server_hostname="localhost"), accepted.result()


def test_tls(installed):
    one, other = tls_pair()
    with one, other:
        assert isinstance(one, ssl.SSLSocket) and one.gettimeout() is None and one.getblocking()
        stopped(lambda: one.recv(1))
        other.sendall(b"hello\n")
        assert one.makefile().readline() == "hello\n"  # nothing was taken
        one.settimeout(0.01)
        with pytest.raises(socket.timeout):
            one.recv(1)
        one.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            one.recv(1)
        one.settimeout(None)
        sent = BlockedCall(lambda: one.sendall(bytes(10_000_000)))
        sent.stop()
        assert 0 < sent.handle.exception().bytes_sent < 10_000_000


def test_tls_in_a_scope_carries_all_bytes(installed):
    one, other = tls_pair()
    data = os.urandom(1_000_000)
    received = bytearray()

    def receive():
        while len(received) < len(data):
            received.extend(other.recv(100_000))
        other.sendall(b"done")
        other.unwrap().close()

    with one, ThreadGroup("peer") as group:
        group.post(receive)
        with StopScope(1000):
            one.sendall(data)
            assert one.recv(100) == b"done"
            assert one.recv(100) == b""
            one.unwrap().close()
        group.join()
    assert received == data


def test_a_tls_socket_that_is_connected_later(installed):
    context = ssl.create_default_context()
    with silent_server() as port:
        with context.wrap_socket(socket.socket(), server_hostname="localhost") as sock:
            stopped(lambda: sock.connect(("127.0.0.1", port)))


# --- Several threads at one socket ---


@pytest.mark.parametrize("end", ["shutdown", "close"])
def test_a_read_ends_with_the_data_when_another_thread_ends_the_connection(end, installed):
    for read, nothing in ((lambda one: one.recv(10), b""), (lambda one: one.recv_into(bytearray(10)), 0)):
        one, other = tls_pair()
        with one, other:
            blocked = BlockedCall(lambda: read(one))
            if end == "shutdown":
                one.shutdown(socket.SHUT_RDWR)
            else:
                one.close()
                with contextlib.suppress(OSError):  # the task may have noticed already
                    other.sendall(b"x")  # as for any socket, what is closed is noticed when something comes
            assert blocked.handle.get(20) == nothing


def test_nothing_is_sent_as_plain_text_after_another_thread_has_ended_tls(installed):
    one, other = tls_pair()
    plain = socket.socket(fileno=os.dup(other.fileno()))
    with one, other, plain:
        blocked = BlockedCall(lambda: one.sendall(b"secret" * 1_000_000))
        one._sslobj = None  # as `unwrap` does at its end
        seen = bytearray()

        def has_ended():
            is_done = blocked.handle.done()
            with contextlib.suppress(BlockingIOError):
                while True:
                    seen.extend(plain.recv(1_000_000))
            return is_done

        plain.setblocking(False)
        wait_until(has_ended)
        with pytest.raises(OSError):
            blocked.handle.get()
        assert b"secret" not in seen


def test_a_handshake_does_not_touch_what_has_got_the_number_of_its_closed_socket(installed):
    context = ssl.create_default_context()
    one, other = socket.socketpair()
    stranger, peer = socket.socketpair()
    with other, stranger, peer:
        wrapped = context.wrap_socket(one, server_hostname="localhost", do_handshake_on_connect=False)
        blocked = BlockedCall(wrapped.do_handshake)
        number = wrapped.fileno()
        wrapped.close()
        os.dup2(stranger.fileno(), number)
        try:
            peer.send(b"secret")
            with contextlib.suppress(OSError):  # as above
                other.send(b"x")
            with pytest.raises(OSError):
                blocked.handle.get(20)
            assert stranger.recv(100) == b"secret"
        finally:
            os.close(number)


def test_threads_that_use_a_socket_first_together_keep_its_time_out(installed, monkeypatch):
    one, other = tls_pair()
    one._stop_managing()  # its handshake has been the first use
    changed = threading.Event()

    class Delayed:
        """Between the look of the first thread, and its asking for the time-out, another one changes the mode."""

        is_first = True

        def gettimeout(self, sock):
            if self.is_first:
                self.is_first = False
                begun.set()
                changed.wait(0.5)
            return base.gettimeout(sock)

        def settimeout(self, sock, value):
            base.settimeout(sock, value)
            changed.set()

    base, begun = _ssl._Base, threading.Event()
    with one, other:
        one.settimeout(1000)
        monkeypatch.setattr(_ssl, "_Base", Delayed())
        with ThreadGroup("users", 2) as group:
            group.post(one._manage)
            begun.wait()
            group.post(one._manage)
            group.join()
        monkeypatch.undo()
        assert one.gettimeout() == 1000 and base.gettimeout(one) == 0


# --- The mode of the socket ---


@pytest.fixture
def fresh(installed):
    """A TLS socket as before its first use, with a time-out of 1000 s."""
    one, other = tls_pair()
    one._stop_managing()  # its handshake has been the first use
    with one, other:
        one._sslobj, tls = None, one._sslobj
        one.settimeout(1000)
        one._sslobj = tls
        yield one


def is_interrupted(call, n):
    """Whether the call comes to an n-th line of the code of TLS sockets, where the handler of a signal raises."""

    def trace(frame, event, arg):
        nonlocal n
        if frame.f_code.co_filename != _ssl.__file__:
            return None
        if event == "line":
            n -= 1
            if n == 0:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    return n <= 0


def test_a_socket_whose_first_use_was_interrupted_does_not_wait_in_the_kernel(fresh):
    for n in itertools.count(1):
        fresh._stop_managing()
        if not is_interrupted(fresh._manage, n):
            break
        fresh._manage()
        assert fresh.gettimeout() == 1000 and _ssl._Base.gettimeout(fresh) == 0, n
    assert n > 4


def test_a_socket_whose_shutdown_was_interrupted_gets_its_mode_back_by_the_next_one(fresh):
    tls = fresh._sslobj
    for n in itertools.count(1):
        fresh._sslobj = tls
        fresh._manage()
        if not is_interrupted(lambda: fresh.shutdown(socket.SHUT_WR), n):
            break
        fresh.shutdown(socket.SHUT_WR)
        assert fresh.gettimeout() == _ssl._Base.gettimeout(fresh) == 1000, n
    assert n > 4


def test_a_socket_whose_shutdown_fails_gets_its_mode_back(fresh):
    fresh._manage()
    with pytest.raises(OSError):
        fresh.shutdown(99)
    assert fresh.gettimeout() == _ssl._Base.gettimeout(fresh) == 1000


class _Meanwhile:
    """When the first time-out is set, another thread does something before that."""

    def __init__(self, act):
        self._base, self._act = _ssl._Base, act

    def gettimeout(self, sock):
        return self._base.gettimeout(sock)

    def settimeout(self, sock, value):
        act, self._act = self._act, lambda: None
        act()
        self._base.settimeout(sock, value)


def test_a_socket_gets_its_mode_back_when_another_thread_ends_tls_meanwhile(fresh, monkeypatch):
    def end():
        fresh._sslobj = None
        fresh._stop_managing()

    monkeypatch.setattr(_ssl, "_Base", _Meanwhile(end))
    fresh._manage()
    assert fresh.gettimeout() == _ssl._Base.gettimeout(fresh) == 1000


def test_a_time_out_holds_when_another_thread_uses_the_socket_first_meanwhile(fresh, monkeypatch):
    monkeypatch.setattr(_ssl, "_Base", _Meanwhile(fresh._manage))
    fresh.settimeout(5)
    assert fresh.gettimeout() == 5 and _ssl._Base.gettimeout(fresh) == 0


def test_a_time_out_that_is_no_number_is_an_error(fresh):
    fresh._manage()
    for value in (-1, math.nan):
        with pytest.raises(ValueError):
            fresh.settimeout(value)
    assert fresh.gettimeout() == 1000

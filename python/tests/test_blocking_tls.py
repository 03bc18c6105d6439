# SPDX-License-Identifier: Apache-2.0
"""TLS connections in tasks and scopes, with the replacements in place."""

import concurrent.futures
import contextlib
import os
import socket
import ssl
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

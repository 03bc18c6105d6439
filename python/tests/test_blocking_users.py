# SPDX-License-Identifier: Apache-2.0
"""Code of the standard library that does not know of stops ends at one, with the replacements in place."""

import concurrent.futures
import contextlib
import http.client
import logging.handlers
import os
import queue
import select
import selectors
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.request

import pytest

from blocking_cases import BlockedCall, wait_until
from threadgroup_core import StopScope, TaskStatus, ThreadGroup

CERTIFICATE = os.path.join(os.path.dirname(__file__), "localhost.pem")


@contextlib.contextmanager
def silent_server():
    """The port of a server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def stopped(call):
    blocked = BlockedCall(call)
    assert blocked.stop() < 2
    assert blocked.handle.status is TaskStatus.STOPPED, blocked.handle.exception()


def test_urllib_and_http_client(installed):
    with silent_server() as port:
        stopped(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/"))
        stopped(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1000))

        def get():
            connection = http.client.HTTPConnection("127.0.0.1", port)
            try:
                connection.request("GET", "/")
                connection.getresponse()
            finally:
                connection.close()

        stopped(get)


def test_https(installed):
    with silent_server() as port:
        stopped(lambda: urllib.request.urlopen(f"https://127.0.0.1:{port}/"))


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


def test_subprocess(installed):
    stopped(lambda: subprocess.check_call(["sleep", "1000"]))
    stopped(lambda: subprocess.getoutput("sleep 1000"))
    stopped(lambda: os.popen("sleep 1000").read())


def test_a_server_of_socketserver_and_its_handler(installed):
    entered = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            entered.set()
            self.rfile.readline()

    class Server(socketserver.TCPServer):
        def handle_error(self, request, client_address):
            errors.append(True)

    errors = []
    with Server(("127.0.0.1", 0), Handler) as server:
        stopped(lambda: server.serve_forever(1000))
        blocked = BlockedCall(server.serve_forever)
        with socket.create_connection(server.server_address):
            entered.wait()
            blocked.stop()
    assert blocked.handle.status is TaskStatus.STOPPED and errors


def test_calls_that_do_not_wait_do_not_raise(installed):
    one, other = socket.socketpair()
    one.setblocking(False)
    with one, other, StopScope() as scope:
        scope.set_event()
        assert one.send(b"x") == 1 and other.recv(1, socket.MSG_DONTWAIT) == b"x"
        with pytest.raises(BlockingIOError):
            one.recv(1)
        assert select.select([one], [], [], 0) == ([], [], [])
        assert not threading.Event().wait(0) and not threading.Semaphore(0).acquire(False)
        for items in (queue.Queue(), queue.SimpleQueue()):
            with pytest.raises(queue.Empty):
                items.get(timeout=0)
            with pytest.raises(queue.Empty):
                items.get(False)
        with open(CERTIFICATE) as file:
            assert os.read(file.fileno(), 1) == b"-"


def test_logging_in_a_stopped_task(installed):
    records = queue.Queue()
    logger = logging.Logger("test")
    logger.addHandler(logging.handlers.QueueHandler(records))
    with StopScope() as scope:
        scope.set_event()
        logger.error("cleaning up")
    assert records.get().msg == "cleaning up"


def test_futures_and_executors(installed):
    go = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        future = executor.submit(go.wait)
        stopped(future.result)
        stopped(lambda: concurrent.futures.wait([future]))
        stopped(lambda: executor.submit(int).result())
        go.set()
        assert future.result()


def test_consumers_of_a_queue_end(installed):
    items = queue.Queue()
    begun = []

    def consume():
        begun.append(1)
        while True:
            items.get()
            items.task_done()

    with ThreadGroup("consumers", 3) as group:
        for _ in range(3):
            group.post(consume)
        for n in range(100):
            items.put(n)
        items.join()
        wait_until(lambda: len(begun) == 3)
        group.set_event()
        assert group.join(20).counts.stopped == 3


def test_a_loop_that_sleeps_ends(installed):
    begun = threading.Event()

    def poll():
        begun.set()
        while True:
            time.sleep(0.001)

    with ThreadGroup("poller") as group:
        group.post(poll)
        wait_until(begun.is_set)
        group.set_event()
        assert group.join(20).counts.stopped == 1


def test_a_selector_of_the_standard_library_in_a_task(installed):
    one, other = socket.socketpair()
    with one, other, selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ)
        stopped(selector.select)
        with StopScope(1000):
            assert selector.select(0.001) == []
            other.send(b"x")
            assert [key.fileobj for key, _ in selector.select()] == [one]
    assert select.select.__name__ == "select"

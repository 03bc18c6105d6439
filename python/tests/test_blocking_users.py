# SPDX-License-Identifier: Apache-2.0
"""Code of the standard library that does not know of stops ends at one, with the replacements in place."""

import concurrent.futures
import http.client
import logging.handlers
import os
import queue
import select
import selectors
import socket
import socketserver
import subprocess
import threading
import time
import urllib.request

import pytest

from blocking_cases import BlockedCall, silent_server, stopped, wait_until
from threadgroup_core import StopScope, TaskStatus, ThreadGroup


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


def test_subprocess(installed):
    stopped(lambda: subprocess.check_call(["sleep", "1000"]))
    stopped(lambda: subprocess.getoutput("exec sleep 1000"))


def test_a_stopped_read_of_popen_leaves_the_command_to_the_program(installed):
    pipes = []

    def read():
        pipes.append(os.popen("exec sleep 1000"))
        pipes[0].read()

    stopped(read)
    pipes[0]._proc.kill()
    pipes[0].close()
    assert pipes[0]._proc.returncode == -9


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
        with open(__file__) as file:
            assert os.read(file.fileno(), 1) == b"#"


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

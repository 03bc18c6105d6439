# SPDX-License-Identifier: Apache-2.0
"""Blocking calls and descriptors: those that are closed meanwhile or missing, what a select learns of, and files that are sent."""

import contextlib
import errno
import os
import resource
import select
import socket
import tempfile
import threading
import time
import types

import pytest

from blocking_cases import BlockedCall, connected, listener, pipe, stopped
from threadgroup_core import StopScope, WaitInterrupted, _core, blocking, thread_utils
from threadgroup_core.blocking import _sockets, _waits


def test_a_call_does_not_touch_what_has_got_the_number_of_its_closed_socket(on_end):
    for timeout in (None, 100):
        one, other = connected(blocking, on_end)
        stranger, peer = connected(blocking, on_end)
        one.settimeout(timeout)
        number, blocked = one.fileno(), BlockedCall(lambda: one.recv(100))
        one.close()
        os.dup2(stranger.fileno(), number)
        try:
            peer.send(b"secret")
            other.send(b"x")
            with pytest.raises(OSError) as raised:
                blocked.handle.get(20)
            assert raised.value.errno == errno.EBADF
            assert stranger.recv(100) == b"secret"
        finally:
            os.close(number)
            blocked.stop()


def test_a_descriptor_of_the_stop_that_the_program_has_closed_is_an_error(on_end):
    end, _ = pipe(on_end)
    nothing = os.open(os.devnull, os.O_RDONLY)
    on_end.callback(os.close, nothing)
    with StopScope():
        number = thread_utils.stop_fd()
        os.close(number)
        with pytest.raises(OSError, match="has closed descriptor") as raised:
            blocking.select([end], [], [], 20)
        assert raised.value.errno == errno.EBADF
        os.dup2(nothing, number)  # readable, and no stop
        with pytest.raises(OSError, match="has closed descriptor"):
            blocking.read(end, 1)


def test_without_a_free_descriptor_what_is_ready_is_returned_and_a_wait_is_an_os_error(on_end):
    one, other = connected(blocking, on_end)
    other.send(b"x")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    first_free = os.dup(0)
    os.close(first_free)
    with StopScope(20):
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, limits[1]))
        try:
            assert blocking.select([one], [], [], 1) == ([one], [], [])
            assert one.recv(1) == b"x"
            with pytest.raises(OSError) as raised:
                one.recv(1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert raised.value.errno == errno.EMFILE


def test_a_listener_is_blocking_again_after_a_stopped_accept(on_end):
    server = listener(blocking, on_end)
    BlockedCall(server.accept).stop()
    assert os.get_blocking(server.fileno())
    with StopScope():
        on_end.enter_context(socket.create_connection(server.getsockname()))
        server.accept()[0].close()
    assert os.get_blocking(server.fileno())


@pytest.mark.parametrize("call", ["accept", "connect"])
def test_a_socket_is_blocking_again_after_a_ctrl_c_that_comes_as_its_mode_is_changed(call, on_end, monkeypatch):
    set_blocking = os.set_blocking

    def interrupted(fd, mode):
        monkeypatch.undo()
        set_blocking(fd, mode)
        raise KeyboardInterrupt

    server = listener(blocking, on_end)
    client = on_end.enter_context(blocking.socket())
    sock, arguments = (server, ()) if call == "accept" else (client, (server.getsockname(),))
    monkeypatch.setattr(os, "set_blocking", interrupted)
    with StopScope(20), pytest.raises(KeyboardInterrupt):
        getattr(sock, call)(*arguments)
    assert os.get_blocking(sock.fileno()) and not _sockets._accepting


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="Python 3.9 has none")
def test_a_read_of_an_eventfd_is_stopped(on_end):
    end = os.eventfd(0)
    on_end.callback(os.close, end)
    stopped(lambda: blocking.read(end, 8))


# --- Select ---


def test_a_select_does_not_end_early_for_what_it_does_not_ask_for(on_end):
    one, other = connected(blocking, on_end)
    source, sink = pipe(on_end)
    other.close()  # poll tells of that at once, whatever is asked for
    with StopScope(20) as scope:
        began = time.monotonic()
        assert blocking.select([], [], [one], 0.05) == ([], [], [])
        assert time.monotonic() - began >= 0.049
        threading.Timer(0.02, os.write, (sink, b"x")).start()
        assert blocking.select([source], [], [one]) == ([source], [], [])
        threading.Timer(0.02, scope.set_event).start()
        with pytest.raises(WaitInterrupted):
            blocking.select([], [], [one])


def test_a_select_looks_at_the_others_beside_what_it_does_not_ask_for(on_end, monkeypatch):
    monkeypatch.setattr(_waits, "_SHORTEST_PAUSE", 1000)
    one, other = connected(blocking, on_end)
    source, sink = pipe(on_end)
    other.close()
    with StopScope(20):
        threading.Timer(0.05, os.write, (sink, b"x")).start()
        assert blocking.select([source], [], [one]) == ([source], [], [])


def test_a_select_ends_in_time_when_it_learns_of_something_else_shortly_before(monkeypatch):
    now = 0.0

    def poll(pairs, timeout, what, shown):
        nonlocal now
        now = max(now, 0.0499) if pairs else now + timeout
        return [(fd, select.POLLHUP) for fd, _ in pairs]

    monkeypatch.setattr(_core, "_poll", poll)
    monkeypatch.setattr(_core, "_sleep", lambda seconds, what: poll([], seconds, what, -1))
    monkeypatch.setattr(_waits, "time", types.SimpleNamespace(monotonic=lambda: now))
    with StopScope():
        assert blocking.select([], [], [0], 0.05) == ([], [], [])
    assert now == pytest.approx(0.05)


# --- Files ---


@pytest.mark.parametrize("scope", [contextlib.nullcontext, StopScope])
def test_sendfile_begins_at_its_offset_wherever_the_file_is_at(scope, on_end):
    one, other = connected(blocking, on_end)
    file = on_end.enter_context(tempfile.TemporaryFile())
    file.write(b"0123456789")
    file.seek(4)
    with scope():
        assert one.sendfile(file) == file.tell() == 10
        assert one.sendfile(file, 3, 4) == 4 and file.tell() == 7
    assert other.recv(100) == b"01234567893456"


def test_after_a_stopped_sendfile_the_file_is_at_the_first_byte_that_was_not_sent(on_end):
    one, other = connected(blocking, on_end)
    file = on_end.enter_context(tempfile.TemporaryFile())
    file.truncate(10_000_000)
    file.seek(4)
    BlockedCall(lambda: one.sendfile(file)).stop()
    sent = file.tell()
    BlockedCall(lambda: one.sendfile(file, sent)).stop()  # there is no room
    assert file.tell() == sent
    other.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            sent -= len(other.recv(1_000_000))
    assert sent == 0

# SPDX-License-Identifier: Apache-2.0
"""Blocking calls end when the caller is stopped, and take nothing with them."""

import os
import queue
import random
import socket
import statistics
import subprocess
import sys
import threading
import time

import pytest

from blocking_cases import CASES, SLEEPER, BlockedCall, connected, line_of, standard_library, wait_until
from threadgroup_core import StopScope, Stopped, TaskStatus, ThreadGroup, WaitInterrupted, blocking


@pytest.fixture(params=["module", "installed"])
def lib(request):
    if request.param == "module":
        yield blocking
    else:
        with blocking.install():
            yield standard_library()


@pytest.mark.parametrize("case", CASES)
def test_a_stop_ends_a_blocked_call(case, lib, on_end):
    blocked = BlockedCall(CASES[case](lib, on_end))
    took = blocked.stop()
    if case == "sendfile":  # of many; the first one says how much it sent
        assert blocked.handle.status in (TaskStatus.STOPPED, TaskStatus.SUCCEEDED)
    else:
        assert blocked.handle.status is TaskStatus.STOPPED, blocked.handle.exception()
        with pytest.raises(WaitInterrupted, match="enough"):
            blocked.handle.get()
    assert took < 2  # on a busy machine; the median is tested below


def test_the_median_call_ends_within_milliseconds(on_end):
    took = []
    for case in ("recv", "sleep", "select", "Queue.get", "Lock", "Popen.wait", "read") * 3:
        took.append(BlockedCall(CASES[case](blocking, on_end)).stop())
    assert min(took) < 0.05 and statistics.median(took) < 0.25  # a few ms; this machine may be busy


# --- What was stopped took nothing ---


def test_no_byte_is_lost_by_stops_at_random_moments(on_end):
    one, other = connected(blocking, on_end)
    rounds, chunk = 300, b"0123456789"
    received, sent = bytearray(), bytearray()

    def receive():
        while True:
            received.extend(one.recv(3))

    for _ in range(rounds):
        with ThreadGroup("reader", 1) as group:
            group.post(receive)
            sent += chunk
            other.sendall(chunk)
            time.sleep(random.random() * 0.0005)
            group.set_event()
    other.shutdown(socket.SHUT_WR)
    while part := one.recv(1000):
        received += part
    assert received == sent


def test_a_stopped_sendall_says_how_many_bytes_it_sent(on_end):
    one, other = connected(blocking, on_end)
    blocked = BlockedCall(lambda: one.sendall(bytes(10_000_000)))
    blocked.stop()
    one.close()
    arrived = 0
    while part := other.recv(100_000):
        arrived += len(part)
    assert blocked.handle.exception().bytes_sent == arrived > 0


def test_a_stopped_send_or_write_returns_what_was_sent(on_end):
    one, other = connected(blocking, on_end)
    ends = os.pipe()
    for call, close, receive in (
        (lambda: one.send(bytes(10_000_000)), one.close, lambda: other.recv(100_000)),
        (lambda: blocking.write(ends[1], bytes(10_000_000)), lambda: os.close(ends[1]), lambda: os.read(ends[0], 100_000)),
    ):
        blocked = BlockedCall(call)
        blocked.stop()
        close()
        assert blocked.handle.get() == sum(len(part) for part in iter(receive, b""))
    os.close(ends[0])


def test_no_item_and_no_notification_is_lost(on_end):
    items, got, rounds = blocking.Queue(), [], 300

    def consume():
        while True:
            got.append(items.get())

    with ThreadGroup("steady", 1) as steady:
        steady.post(consume)
        for n in range(rounds):
            with ThreadGroup("stopped", 2) as group:
                group.post(consume)
                group.post(consume)
                items.put(n)
                group.set_event()
        # What was notified and then stopped has handed the notification on.
        wait_until(lambda: len(got) == rounds)
        steady.set_event()
    assert sorted(got) == list(range(rounds)) and items.empty()


def test_a_notification_that_comes_together_with_a_stop_goes_to_the_next_waiter():
    condition, woken, ident = blocking.Condition(), threading.Event(), []

    def wait():
        ident.append(threading.get_ident())
        with condition:
            condition.wait()

    def wait_in_a_thread():
        with condition:
            condition.wait()
        woken.set()

    with ThreadGroup("first", 1) as group:
        group.post(wait)
        wait_until(lambda: len(condition._waiters) == 1)
        other = threading.Thread(target=wait_in_a_thread)
        other.start()
        wait_until(lambda: len(condition._waiters) == 2)
        with condition:
            group.set_event()
            # It has left its wait, and waits for the lock.
            wait_until(lambda: "_acquire_restore(saved)" in line_of(ident[0]))
            condition.notify()
        assert woken.wait(20)
    other.join()


@pytest.mark.parametrize("kind", [blocking.Queue, blocking.SimpleQueue])
def test_a_stopped_consumer_leaves_the_items(kind):
    items = kind()
    items.put(1)
    with StopScope() as scope:
        scope.set_event()
        with pytest.raises(WaitInterrupted):
            items.get()
        assert items.get_nowait() == 1
        with pytest.raises(queue.Empty):
            items.get_nowait()
        items.put(2)  # there is room
    assert items.get() == 2


def test_a_stopped_caller_gets_what_is_free():
    with StopScope() as scope:
        scope.set_event()
        event, lock = blocking.Event(), blocking.Lock()
        event.set()
        assert event.wait()
        with lock, blocking.RLock(), blocking.Semaphore(1), blocking.Condition():
            assert not lock.acquire(timeout=0.001)


def test_a_lock_that_is_held_briefly_is_waited_for_even_by_a_stopped_caller():
    lock, held = blocking.Lock(), threading.Event()

    def hold():
        with lock:
            held.set()
            time.sleep(0.002)

    taken = 0
    with StopScope() as scope:
        scope.set_event()
        for _ in range(10):
            thread = threading.Thread(target=hold)
            thread.start()
            held.wait()
            try:
                with lock:
                    taken += 1
            except WaitInterrupted:
                pass  # the other thread was delayed by more than 20 ms
            thread.join()
            held.clear()
    assert taken >= 5


# --- Time-outs and results are those of the originals ---


def expect(error, call):
    begin = time.monotonic()
    with pytest.raises(error):
        call()
    assert time.monotonic() - begin >= 0.019


def test_time_outs_hold_in_a_scope(lib, on_end):
    with StopScope(1000):
        one, _ = connected(lib, on_end)
        one.settimeout(0.02)
        expect(socket.timeout, lambda: one.recv(1))
        expect(socket.timeout, lambda: one.sendall(bytes(10_000_000)))
        server = on_end.enter_context(lib.socket())
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.02)
        expect(socket.timeout, server.accept)
        expect(queue.Empty, lambda: lib.Queue().get(timeout=0.02))
        expect(queue.Empty, lambda: lib.SimpleQueue().get(timeout=0.02))
        expect(threading.BrokenBarrierError, lambda: lib.Barrier(2).wait(0.02))
        command = lib.Popen(SLEEPER)
        expect(subprocess.TimeoutExpired, lambda: command.wait(0.02))
        command.kill()
        assert command.wait() < 0
        expect(subprocess.TimeoutExpired, lambda: lib.run(SLEEPER, timeout=0.02, capture_output=True))
        begin = time.monotonic()
        lib.sleep(0.02)
        assert lib.select([one], [], [], 0.02) == ([], [], [])
        polled = lib.poll()
        polled.register(one, 1)
        assert polled.poll(20) == []
        lock = lib.Lock()
        assert lock.acquire() and not lock.acquire(timeout=0.02) and not lock.acquire(False)
        assert not lib.Event().wait(0.02) and not lib.Semaphore(0).acquire(timeout=0.02)
        assert time.monotonic() - begin >= 0.02 * 6


def test_calls_that_are_not_stopped_return_what_the_originals_return(lib, on_end):
    with StopScope(1000):
        one, other = connected(lib, on_end)
        assert one.send(b"abc") == 3 and one.sendmsg([b"d", b"e"]) == 2
        assert other.recv(5, socket.MSG_PEEK) == b"abcde" and other.recv(5, socket.MSG_WAITALL) == b"abcde"
        one.sendall(b"line\n")
        assert lib.select([other], [one], [one], 1) == ([other], [one], [])
        assert other.makefile().readline() == "line\n"
        one.shutdown(socket.SHUT_WR)
        assert other.recv(1) == b""
        made = subprocess.run if lib is not blocking else lib.run
        assert made(["cat"], input="x" * 100_000, capture_output=True, text=True).stdout == "x" * 100_000
        with lib.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as command:
            command.stdin.write("hello\n")
            assert command.stdout.readline() == "hello\n"
        assert command.returncode == 0
        pid = os.spawnlp(os.P_NOWAIT, "false", "false")
        assert lib.waitpid(pid, 0) == (pid, 256)
        with pytest.raises(ChildProcessError):
            lib.waitpid(pid, 0)
        with pytest.raises(ConnectionRefusedError):
            on_end.enter_context(lib.socket()).connect(("127.0.0.1", 1))
        closed = lib.socket()
        closed.close()
        with pytest.raises(OSError):
            closed.recv(1)
        one.setblocking(False)
        with pytest.raises(ValueError):
            lib.sleep(-1)
        assert one.getblocking() is False


def test_several_threads_may_accept_on_one_listener(on_end):
    server = on_end.enter_context(blocking.socket())
    server.bind(("127.0.0.1", 0))
    server.listen(64)
    accepted, count = blocking.SimpleQueue(), 40

    def accept():
        while True:
            accepted.put(server.accept()[0])

    with ThreadGroup("acceptors", 4) as group:
        for _ in range(4):
            group.post(accept)
        for _ in range(count):
            socket.create_connection(server.getsockname()).close()
        for _ in range(count):
            accepted.get(timeout=20).close()
        group.set_event()
        assert group.join(20)
    assert server.gettimeout() is None
    threading.Thread(target=lambda: socket.create_connection(server.getsockname()).close()).start()
    server.accept()[0].close()  # outside tasks it waits as before


def test_a_time_out_by_default_and_one_of_a_socket_do_not_change_the_descriptor(on_end):
    socket.setdefaulttimeout(1000)
    on_end.callback(socket.setdefaulttimeout, None)
    one, other = connected(blocking, on_end)
    with StopScope(1000):
        for timeout in (None, 1000):
            one.settimeout(timeout)
            mode = os.get_blocking(one.fileno())
            other.send(b"x")
            assert one.recv(1) == b"x" and os.get_blocking(one.fileno()) is mode is (timeout is None)
    assert one.fileno() >= 0 and os.fstat(one.fileno())


def test_a_stop_that_the_caller_waits_for_itself_is_no_error(lib, on_end):
    from threadgroup_core import thread_utils

    one, _ = connected(lib, on_end)
    with StopScope() as scope:
        scope.set_event()
        stop = thread_utils.stop_fd()
        assert lib.select([one, stop], [], [])[0] == [stop]
        polled = lib.poll()
        polled.register(stop, 1)
        assert polled.poll() == [(stop, 1)]


def test_a_command_that_ignores_sigterm_is_killed_after_a_grace(lib, monkeypatch):
    monkeypatch.setattr("threadgroup_core.blocking._processes.GRACE", 0.05)
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(1000)"
    commands = []

    def call():
        with lib.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as command:
            commands.append(command)
            command.stdout.read(1)
            command.wait()

    blocked = BlockedCall(call)
    wait_until(lambda: blocked.group.join(0).running[0].waits_for == "a command")
    blocked.stop()
    assert blocked.handle.status is TaskStatus.STOPPED and commands[0].returncode == -9


def test_stopped_calls_raise_a_stopped():
    child = subprocess.Popen(SLEEPER)
    with StopScope() as scope:
        scope.set_event("why")
        assert blocking.waitpid(child.pid, os.WNOHANG) == (0, 0)
        with pytest.raises(Stopped, match="why"):
            blocking.sleep(1)
        with pytest.raises(Stopped):
            blocking.Popen(["true"])
    child.kill()
    child.wait()

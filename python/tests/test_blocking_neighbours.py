# SPDX-License-Identifier: Apache-2.0
"""Blocking calls beside other threads, processes and handlers that use the same sockets, commands and locks."""

import contextlib
import fcntl
import math
import os
import queue
import select
import socket
import struct
import subprocess
import threading
import time
from unittest import mock

import pytest

from blocking_cases import SLEEPER, BlockedCall, connected, interrupt_main_thread_at, pipe, wait_until
from threadgroup_core import StopScope, TaskStatus, ThreadGroup, WaitInterrupted, _core, blocking
from threadgroup_core.blocking import _locks

_thread_lock = threading.Lock  # the original


# --- What the kernel does ---


def test_time_outs_and_flags_of_the_kernel_hold(on_end):
    one, other = connected(blocking, on_end)
    with StopScope(20):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 20_000))
        with pytest.raises(BlockingIOError):
            one.recv(1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 0))
        receiver = on_end.enter_context(blocking.socket(socket.AF_INET, socket.SOCK_DGRAM))
        receiver.bind(("127.0.0.1", 0))
        with pytest.raises(BlockingIOError):
            receiver.recvmsg(100, 100, socket.MSG_ERRQUEUE)
        for data in (b"one", b"two"):
            other_end = on_end.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            other_end.sendto(data, receiver.getsockname())
        assert receiver.recv(6, socket.MSG_WAITALL) == b"one"
        timer = threading.Timer(0.02, other.send, (b"cd",))
        other.send(b"ab")
        timer.start()
        assert one.recvmsg(4, 0, socket.MSG_WAITALL)[0] == b"abcd"


def test_a_terminal_that_is_set_not_to_wait_does_not(on_end):
    pty, termios, tty = (pytest.importorskip(name) for name in ("pty", "termios", "tty"))
    ends = pty.openpty()
    for end in ends:
        on_end.callback(os.close, end)
    tty.setraw(ends[1])
    mode = termios.tcgetattr(ends[1])
    mode[6][termios.VMIN] = mode[6][termios.VTIME] = 0
    termios.tcsetattr(ends[1], termios.TCSANOW, mode)
    with StopScope(20) as scope:
        assert blocking.read(ends[1], 1) == b""
        assert not scope.timed_out()


def test_a_send_to_a_full_receiver_does_not_keep_a_processor_busy(on_end, monkeypatch):
    looks, poll = [], _core._poll
    monkeypatch.setattr(_core, "_poll", lambda *args: (looks.append(1), poll(*args))[1])
    receiver = on_end.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    receiver.bind("")
    sender = on_end.enter_context(blocking.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    began = time.monotonic()
    with StopScope(0.3), pytest.raises(WaitInterrupted):
        while True:
            sender.sendto(b"x", receiver.getsockname())
    assert len(looks) <= 20 + (time.monotonic() - began) / 0.01  # after pauses of 10 ms


def test_wrong_arguments_raise_in_a_task_what_they_raise_elsewhere(on_end):
    end, _ = pipe(on_end)
    polled = blocking.poll()
    calls = [
        lambda: blocking.read(-1, 1), lambda: blocking.read(end, -1), lambda: blocking.read(None, 1),
        lambda: (polled.register(end, 0x8001), polled.poll(1)),
        lambda: blocking.epoll().poll(0.001, 0),
    ]  # fmt: skip

    def outcome(call):
        try:
            return call()
        except Exception as error:
            return type(error), error.args

    outside = [outcome(call) for call in calls]
    with StopScope(20):
        assert [outcome(call) for call in calls] == outside


def running_thread(on_end):
    go = threading.Event()
    thread = blocking.Thread(target=go.wait)
    thread.start()
    on_end.callback(thread.join)
    on_end.callback(go.set)
    return thread


def running_command(on_end):
    command = blocking.Popen(SLEEPER)
    on_end.callback(command.wait)
    on_end.callback(command.kill)
    return command


@pytest.mark.parametrize("call", [
    lambda on_end: blocking.select([pipe(on_end)[0]], [], [], math.nan),
    lambda on_end: blocking.poll().poll(math.nan),
    lambda on_end: blocking.epoll().poll(math.nan),
    lambda on_end: blocking.SelectSelector().select(math.nan),
    lambda on_end: running_thread(on_end).join(math.nan),
    lambda on_end: running_command(on_end).wait(math.nan),
    lambda on_end: blocking.Lock().acquire(timeout=math.nan),
    lambda on_end: blocking.SimpleQueue().get(timeout=math.nan),
    lambda on_end: blocking.Event().wait(math.nan),
])
def test_a_time_out_that_is_no_number_is_an_error(call, on_end):
    with StopScope(1), pytest.raises(ValueError):
        call(on_end)


# --- Commands ---


@pytest.mark.parametrize("covered", [False, True])
def test_a_size_of_buffers_of_none_is_the_one_by_default(covered):
    with StopScope(20) if covered else contextlib.nullcontext():
        with blocking.Popen(["cat"], None, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as command:
            assert command.communicate(b"hello") == (b"hello", None)


def test_a_stop_of_a_command_does_not_wait_for_a_full_pipe(on_end):
    with ThreadGroup("commands") as group:

        def call():
            # Its child keeps the pipe open, and does not read.
            with blocking.Popen("sleep 20; true", shell=True, stdin=subprocess.PIPE) as command:
                for _ in range(200):
                    command.stdin.write(bytes(1000))
                command.stdin.flush()

        blocked = BlockedCall(call)
        assert blocked.stop() < 5


@pytest.mark.parametrize("read", [
    lambda command: command.communicate()[0],
    lambda command: command.stdout.read(),
    lambda command: command.stdout.read(12),
    lambda command: command.stdout.readline(),
])
def test_what_a_stopped_read_of_a_command_had_is_returned_by_the_next_one(read, on_end):
    source, sink = pipe(on_end)
    with blocking.Popen("printf hello; read x; printf ' world\n'", shell=True, stdin=source, stdout=subprocess.PIPE) as command:
        select.select([command.stdout], [], [], 20)
        blocked = BlockedCall(lambda: read(command))
        blocked.stop()
        assert blocked.handle.status is TaskStatus.STOPPED
        os.write(sink, b"\n")
        assert read(command) == b"hello world\n"


# --- Locks and threads ---


def test_the_main_thread_gets_a_lock_that_is_never_free_for_long():
    lock, end = blocking.Lock(), threading.Event()

    def use():
        while not end.is_set():
            with lock:
                time.sleep(0.01)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        taken = lock.acquire(timeout=3)
        if taken:
            lock.release()
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert taken


def test_a_stopped_caller_waits_as_long_as_the_lock_goes_from_owner_to_owner():
    def is_taken_after_the_others():
        lock, users = blocking.Lock(), []
        lock.acquire()

        def use():
            with lock:
                users.append(1)
                time.sleep(0.008)

        with ThreadGroup("users", 8) as group:
            for _ in range(8):
                group.post(use)
            wait_until(lambda: [task.waits_for for task in group.join(0).running] == ["a mutex"] * 8)
            lock.release()
            with StopScope() as scope:
                scope.set_event()
                try:
                    with lock:
                        return len(users) == 8
                except WaitInterrupted:
                    return False  # an owner was delayed by more than 20 ms

    wait_until(is_taken_after_the_others)


@pytest.mark.parametrize("call, what", [
    (lambda path: blocking.sleep(1000), "the end of a sleep"),
    (lambda path: blocking.flock(open(path), fcntl.LOCK_EX), "the lock of a file"),
])
def test_a_snapshot_says_what_a_call_waits_for(call, what, tmp_path):
    path = tmp_path / "file"
    path.touch()
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        blocked = BlockedCall(lambda: call(path))
        wait_until(lambda: blocked.group.join(0).running[0].waits_for == what)
        blocked.stop()


def test_a_snapshot_says_on_which_descriptor_a_call_waits_and_for_how_long():
    reading, writing = os.pipe()
    blocked = BlockedCall(lambda: blocking.read(reading, 1))

    def is_seen():
        task = blocked.group.join(0).running[0]
        return task.waits_for.endswith(f" on descriptor {reading}") and task.waiting_for > 0

    wait_until(is_seen)
    blocked.stop()
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("call, function, line", [
    (lambda: queue.SimpleQueue().get(), blocking.SimpleQueue._wait_for_item, "._acquire_one("),
    (lambda: time.sleep(1000), blocking.sleep, "_core._sleep("),
    (lambda: queue.Queue().get(), blocking.Condition.wait, "waiter._wait("),
])
def test_a_ctrl_c_in_a_call_of_the_standard_library_stops_no_group(call, function, line, installed):
    go = _thread_lock()
    go.acquire()
    with ThreadGroup("others") as group:
        group.post(go.acquire)
        with interrupt_main_thread_at(function, line), StopScope(), pytest.raises(KeyboardInterrupt):
            call()
        assert not group.event_is_set()
        go.release()


@pytest.mark.parametrize("scope, function", [
    (contextlib.nullcontext, threading.Condition.wait),  # the original
    (StopScope, blocking.Condition.wait),
])
def test_a_ctrl_c_ends_a_condition_that_takes_its_lock_back(scope, function):
    condition, go = blocking.Condition(blocking.Lock()), threading.Event()

    def hold():
        with condition, interrupt_main_thread_at(function, "._acquire_restore(saved"):
            go.wait(60)

    condition.acquire()
    thread = threading.Thread(target=hold)
    thread.start()
    with scope(), pytest.raises(KeyboardInterrupt):
        while thread.is_alive():
            condition.wait(0.02)
    assert thread.is_alive()  # it has the lock
    go.set()
    thread.join()


def test_a_ctrl_c_as_a_condition_looks_what_kind_of_lock_it_has_leaves_the_lock_held(monkeypatch):
    class Interrupting(type):
        def __instancecheck__(cls, lock):
            raise KeyboardInterrupt

    condition = blocking.Condition()
    monkeypatch.setattr(_locks, "_TAKEN_BACK_IN_ANY_CASE", Interrupting("Interrupted", (), {}))
    condition.acquire()
    with StopScope(20), pytest.raises(KeyboardInterrupt):
        condition.wait(0.01)
    assert condition._is_owned() and not condition._waiters


def test_the_process_ends_while_threads_poll_a_lock_and_a_destructor_waits(run_program):
    result = run_program("""
        import os, sys, threading, time, types
        from threadgroup_core import blocking
        blocking.install()
        class Last:
            def __init__(self):
                self.lock = threading.Lock()
                self.lock.acquire()
            def __del__(self, time=time, os=os):
                time.sleep(0.05)
                self.lock.acquire(timeout=0.05)
                os.write(1, b"ended")
        module = types.ModuleType("kept")
        module.last = Last()
        sys.modules["kept"] = module
        held = threading.Lock()
        held.acquire()
        def poll():
            while True:
                held.acquire(timeout=0.001)
        for _ in range(4):
            threading.Thread(target=poll, daemon=True).start()
        time.sleep(0.1)
        del module
    """, timeout=20)
    assert (result.returncode, result.stdout) == (0, "ended")


def test_the_old_names_of_a_lock_are_there():
    lock = blocking.Lock()
    assert lock.acquire_lock() and lock.locked_lock() and not lock.acquire_lock(False)
    lock.release_lock()
    assert not lock.locked()


# --- Undoing ---


def test_undo_puts_back_only_what_is_ours():
    original = time.sleep
    with mock.patch("time.sleep"):
        installed = blocking.install()
    installed.undo()
    assert time.sleep is original
    installed = blocking.install()
    with mock.patch("time.sleep") as patched:
        installed.undo()
        assert time.sleep is patched
    time.sleep = original  # the patch has put ours back

# SPDX-License-Identifier: Apache-2.0
"""The replacements in place: what they replace, and that all else is as before."""

import asyncio
import concurrent.futures
import queue
import socket
import ssl
import threading
import time

import pytest

from blocking_cases import interrupt_main_thread_at, stopped
from threadgroup_core import StopScope, Stopped, ThreadGroup, WaitInterrupted, blocking
from threadgroup_core.blocking import _install


def in_place():
    return {(owner, name): vars(owner).get(name) for owner, name, _ in _install._replacements()}


# --- Installing ---


def test_nothing_is_replaced_before_and_nothing_after():
    before = in_place()
    assert time.sleep is not blocking.sleep and ssl.SSLContext.sslsocket_class is ssl.SSLSocket
    installed = blocking.install()
    assert time.sleep is blocking.sleep and threading.Lock is blocking.Lock
    assert all(vars(owner)[name] is ours for owner, name, ours in _install._replacements())
    with blocking.install():
        installed.undo()
        installed.undo()
        assert time.sleep is blocking.sleep
    assert in_place() == before


def test_any_thread_may_install_and_undo():
    before = in_place()

    def work():
        for _ in range(50):
            with blocking.install():
                assert time.sleep is blocking.sleep

    with ThreadGroup("installers", 4) as group:
        for _ in range(4):
            group.post(work)
        group.join()
    assert in_place() == before


def test_objects_that_were_made_before_are_covered_where_python_code_waits():
    items, event, condition = queue.Queue(), threading.Event(), threading.Condition()
    one, other = socket.socketpair()
    future = concurrent.futures.Future()

    def wait_for_condition():
        with condition:
            condition.wait()

    with blocking.install(), one, other:
        for call in (items.get, event.wait, wait_for_condition, lambda: one.recv(1), future.result):
            stopped(call)


def test_locks_that_are_held_while_it_is_undone_still_work():
    with blocking.install():
        lock, condition = threading.Lock(), threading.Condition()
        lock.acquire()
    assert not lock.acquire(timeout=0.001)
    lock.release()
    with condition:
        assert not condition.wait(0.001)


def test_a_thread_without_task_or_scope_is_not_affected(installed):
    with StopScope() as scope:
        scope.set_event()
        with pytest.raises(WaitInterrupted):
            time.sleep(1)
        executor = concurrent.futures.ThreadPoolExecutor(1)
        future = executor.submit(time.sleep, 0.001)
    executor.shutdown()
    future.result()


# --- What is around ---


def test_the_event_loop_of_a_stopped_caller_goes_on(installed):
    async def main():
        reader, writer = await asyncio.open_connection(sock=one)
        line = await reader.readline()
        writer.close()
        await asyncio.sleep(0.001)
        return line

    one, other = socket.socketpair()
    other.sendall(b"hello\n")
    with other, StopScope() as scope:
        scope.set_event()
        assert asyncio.run(main()) == b"hello\n"


@pytest.mark.parametrize("scope, call", [
    ("StopScope()", "one.recv(1)"),
    ("StopScope()", "time.sleep(1000)"),
    ("StopScope()", "lock.acquire()"),
    ("StopScope()", "queue.Queue().get()"),
    ("StopScope()", "select.select([one], [], [])"),
    ("StopScope()", "subprocess.run(['sleep', '1000'])"),
    ("contextlib.nullcontext()", "one.recv(1)"),
    ("contextlib.nullcontext()", "lock.acquire()"),
    ("contextlib.nullcontext()", "queue.SimpleQueue().get()"),
])
def test_ctrl_c_ends_a_call_of_the_main_thread(run_program, call, scope):
    result = run_program(f"""
        import contextlib, os, queue, select, signal, socket, subprocess, threading, time
        from threadgroup_core import StopScope, blocking
        blocking.install()
        one, other = socket.socketpair()
        lock = threading.Lock()
        lock.acquire()
        # The handler counts; the second signal raises.
        seen = []
        def handler(number, frame):
            seen.append(number)
            if len(seen) == 3:
                raise KeyboardInterrupt
        signal.signal(signal.SIGINT, handler)
        def send():
            for count in range(3):
                time.sleep(0.05)
                os.kill(os.getpid(), signal.SIGINT)
                while len(seen) == count:
                    time.sleep(0.001)
        threading.Thread(target=send, daemon=True).start()
        with {scope}:
            try:
                {call}
            except KeyboardInterrupt:
                print("interrupted", len(seen))
    """)
    assert result.stdout == "interrupted 3\n", result.stderr


def test_a_ctrl_c_at_a_lock_outside_scopes_stops_no_group(installed):
    lock = threading.Lock()
    lock.acquire()
    go = threading.Event()

    def take():
        lock.acquire()

    with ThreadGroup("others") as group:
        group.post(go.wait)
        with interrupt_main_thread_at(take, "lock.acquire()"), pytest.raises(KeyboardInterrupt):
            take()
        assert not group.event_is_set()
        go.set()


def test_a_forked_child_begins_with_locks_of_its_own(run_program):
    result = run_program("""
        import os, threading, logging, queue
        from threadgroup_core import StopScope, ThreadGroup, blocking
        blocking.install()
        logger = logging.getLogger("x")
        logger.addHandler(logging.StreamHandler())
        handler = logger.handlers[0]
        held, go = threading.Event(), threading.Event()
        def hold():
            with handler.lock:
                held.set()
                go.wait()
        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        pid = os.fork()
        if pid == 0:
            logger.error("from the child")
            with StopScope() as scope:
                scope.set_event()
                try:
                    queue.Queue().get()
                except RuntimeError:
                    os._exit(7)
            os._exit(1)
        with StopScope(1000):
            print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
        go.set()
        thread.join()
    """)
    assert (result.stdout, result.stderr) == ("7\n", "from the child\n")


def test_the_interpreter_ends_while_a_thread_waits(run_program):
    result = run_program("""
        import queue, threading
        from threadgroup_core import blocking
        blocking.install()
        lock = threading.Lock()
        lock.acquire()
        for call in (lock.acquire, queue.Queue().get, queue.SimpleQueue().get, threading.Event().wait):
            threading.Thread(target=call, daemon=True).start()
        print("ended")
    """)
    assert (result.returncode, result.stdout, result.stderr) == (0, "ended\n", "")


def test_the_error_of_a_stop_is_no_os_error():
    assert issubclass(WaitInterrupted, Stopped) and not issubclass(Stopped, OSError)

# SPDX-License-Identifier: Apache-2.0
"""Handles at the wrong moment: beside a join, a collection of garbage, a fork, a Ctrl-C."""

import asyncio
import concurrent.futures
import gc
import threading
import time
import weakref

import pytest

import threadgroup_core as core
from threadgroup_core import ThreadGroup

from support import Blocked


def test_a_handle_that_is_asked_while_a_join_delivers_does_not_take_the_failure_from_it(monkeypatch):
    # The join has taken both failures. While it makes the first one into a Python object, the handle of the second is asked.
    asked, failure = [], core.Failure

    def make_failure(*args):
        if not asked:
            with pytest.raises(KeyError) as caught:
                second.result()
            asked.append(caught.value)
        return failure(*args)

    def fail(error):
        raise error

    group = ThreadGroup("g", 1)
    errors = [ValueError(1), KeyError(2)]
    first, second = (group.add_task(fail, error) for error in errors)
    second.wait()
    monkeypatch.setattr(core._types, "Failure", make_failure)
    result = group.wait_idle()
    assert asked == errors[1:] and [f.exception for f in result.failures] == errors
    del first


def test_the_conditions_of_two_handles_are_two_locks():
    # `concurrent.futures` takes the conditions of several futures in the order of their ids. One lock behind several handles
    # has no place in that order, and two waits that have a future of another kind in between lock each other out.
    with Blocked() as b:
        handles, futures = [], []
        while not (handles and min(map(id, handles)) < max(map(id, futures))):
            handles += [b.group.add_task(int) for _ in range(100)]
            futures += [concurrent.futures.Future() for _ in range(100)]
        low, future, other = min(handles, key=id), max(futures, key=id), max(handles, key=id)
        looked = threading.Event()

        def look():
            with other._condition:
                looked.set()

        threads = [threading.Thread(target=concurrent.futures.wait, args=([low, future], 0)), threading.Thread(target=look)]
        condition = low._condition
        with future._condition:
            threads[0].start()
            while condition.acquire(blocking=False):
                condition.release()
                time.sleep(0.001)
            threads[1].start()
            are_independent = looked.wait(5)
        for thread in threads:
            thread.join()
        assert are_independent


def test_a_forked_process_uses_handles_while_a_thread_of_the_parent_looks_at_one(run_program):
    result = run_program("""
import os, signal, threading
from threadgroup_core import ThreadGroup
group = ThreadGroup("g")
done = group.add_task(int)
done.wait()
held, go, seen = threading.Event(), threading.Event(), []
def hold():
    with done._condition:
        held.set()
        go.wait()
threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(10)
    with ThreadGroup("child") as other:
        other.add_task(int).add_done_callback(seen.append)
    done.add_done_callback(seen.append)
    os._exit(len(seen))
print(os.waitpid(child, 0)[1] == 2 << 8)
go.set()
""")
    assert (result.stdout, result.stderr) == ("True\n", "")


def test_no_lock_is_held_where_the_garbage_collector_may_end_a_group(run_program):
    # The collector runs while a handle makes the list of its waiters; it ends a group whose last task waits for the end of
    # the same handle.
    result = run_program("""
import faulthandler, gc, threading
faulthandler.dump_traceback_later(10, exit=True)
from threadgroup_core import ThreadGroup, _handles, thread_utils
gc.disable()
class Waiting(_handles._Waiting):
    __slots__ = ()
    def __init__(self, *args):
        gc.collect()
        super().__init__(*args)
_handles._Waiting = Waiting
go, blocked, begun, seen = threading.Event(), threading.Event(), threading.Event(), []
other = ThreadGroup("other", 1)
other.post(lambda: (blocked.set(), go.wait()))
blocked.wait()
handle = other.add_task(int)
def task():
    begun.set()
    while thread_utils.event_aware_sleep(1000):
        pass
    handle.add_done_callback(lambda h: seen.append(1))
group = ThreadGroup("g", 1)
group.itself = group
group.post(task)
begun.wait()
del group
handle.add_done_callback(lambda h: seen.append(2))
go.set()
other.join()
print(sorted(seen))
""")
    assert (result.stdout, result.stderr) == ("[1, 2]\n", "")


INTERRUPTED = """
import threading
import threadgroup_core as core
from threadgroup_core import ThreadGroup
def interrupt(*_):
    raise KeyboardInterrupt
go, begun, seen = threading.Event(), threading.Event(), []
def block():
    begun.set()
    go.wait()
{setup}
begun.wait()
try:
    {call}
    for _ in range(1000): pass  # the interpreter raises it as soon as it goes on
    print("swallowed")
except KeyboardInterrupt:
    print("raised")
go.set()
print(len(seen))
"""
PENDING = """
group = ThreadGroup("g", 1)
group.post(block)
pending = group.add_task(int)
pending.add_done_callback(interrupt)
pending.add_done_callback(seen.append)
"""
SUBMITTED = """
executor = core.Executor(1)
executor.submit(block)
future = executor.submit(int)
future.add_done_callback(seen.append)
future.add_done_callback(interrupt)
"""
UNSEEN = """
core.set_unseen_failure_handler(lambda *args: (seen.append(args), interrupt()))
group = ThreadGroup("g", 1)
group.post(lambda: (begun.set(), 1 / 0))
group.wait_for_condition(lambda: False)
"""
INTERRUPTIONS = {
    "a callback of a handle": (PENDING, "pending.cancel()"),
    "a callback of a handle whose group is stopped": (PENDING, "group.set_event()"),
    "a callback of a future whose call is dropped": (SUBMITTED, "executor.group.clear_pending()"),
    "the handler for unseen failures": (UNSEEN, "del group"),
}


@pytest.mark.parametrize("place", INTERRUPTIONS)
def test_a_keyboard_interrupt_is_not_swallowed_and_all_waiters_are_notified(run_program, place):
    setup, call = INTERRUPTIONS[place]
    result = run_program(INTERRUPTED.format(setup=setup, call=call))
    assert (result.stdout, result.stderr) == ("raised\n1\n", "")


def test_what_ends_the_program_is_raised_by_the_one_who_adds_a_callback_too_late():
    with ThreadGroup("g") as group:
        handle = group.add_task(int)
        handle.wait()
        with pytest.raises(SystemExit):
            handle.add_done_callback(lambda h: exec("raise SystemExit"))


def test_a_cancelled_await_leaves_nothing_with_the_handle():
    async def main(b):
        futures = []
        for _ in range(20):
            waiter = asyncio.ensure_future(b.running)
            await asyncio.sleep(0)
            futures.append(waiter._fut_waiter)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
        futures = [weakref.ref(future) for future in futures]
        gc.collect()
        return sum(future() is not None for future in futures)

    with Blocked() as b:
        assert asyncio.run(main(b)) <= 1

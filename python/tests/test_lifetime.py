# SPDX-License-Identifier: Apache-2.0
"""What is freed, and when: groups, handles, results and exceptions, also in cycles."""

import gc
import threading
import weakref

import pytest

import threadgroup_core as core
from threadgroup_core import ThreadGroup


class Thing:
    """Can be referred to weakly, and refer to others."""


def test_groups_come_and_go_while_other_threads_collect_garbage(run_program):
    result = run_program("""
import gc, sys, threading, time
from threadgroup_core import ThreadGroup, thread_utils
sys.setswitchinterval(0.0001)
over = threading.Event()
def collect():
    while not over.is_set():
        gc.collect(0)
def use():
    for _ in range(100):
        with ThreadGroup("g", 2) as group:
            group.add_task(time.sleep, 0)
        dropped = ThreadGroup("dropped", 2)
        dropped.add_task(thread_utils.event_aware_sleep, 1000)
        del dropped
collectors = [threading.Thread(target=collect) for _ in range(2)]
users = [threading.Thread(target=use) for _ in range(3)]
for thread in collectors + users: thread.start()
for thread in users: thread.join()
over.set()
for thread in collectors: thread.join()
print("whole")
""")
    assert (result.returncode, result.stdout, result.stderr) == (0, "whole\n", "")


def count(make, rounds=50):
    """How many of the things that `make` gives are alive after all were dropped and the garbage was collected."""
    references = [weakref.ref(make()) for _ in range(rounds)]
    gc.collect()
    return sum(r() is not None for r in references)


def test_a_cycle_through_a_handle_and_its_result_is_freed():
    with ThreadGroup("g") as group:

        def make():
            thing = Thing()
            thing.handle = group.add_task(lambda: thing)
            thing.handle.wait()
            return thing

        # The last one may still be held by the worker that ran it.
        assert count(make) <= 1


def test_a_cycle_through_a_handle_and_what_its_task_raised_is_freed():
    with ThreadGroup("g") as group:

        def make():
            thing = Thing()

            def fail():
                raise LookupError(thing)

            thing.handle = group.add_task(fail)
            with pytest.raises(LookupError):
                thing.handle.get()
            return thing

        assert count(make) <= 1


@pytest.mark.parametrize("on_failure", ["keep_going", "set_event"])
def test_a_cycle_through_the_traceback_of_what_a_join_raised_is_freed(on_failure):
    def make():
        thing = Thing()
        group = ThreadGroup("g", on_failure=on_failure)
        thing.group, thing.handle = group, group.add_task(lambda: (thing, 1 / 0))
        with pytest.raises(ZeroDivisionError) as info:
            group.join()
        thing.info = info
        assert thing.handle.exception() is info.value
        assert (group.reason is None) == (on_failure == "keep_going")
        return thing

    assert count(make) == 0


def test_a_group_that_only_its_own_failure_refers_to_is_freed_and_tells_it():
    told = []
    before = core.set_unseen_failure_handler(lambda path, task, error: told.append(str(error)))
    try:

        def make():
            thing = Thing()
            thing.group = ThreadGroup("g")

            def fail():
                raise LookupError("of", thing)

            thing.group.post(fail)
            while not thing.group.statistics.failed:
                thing.group.wait_for_condition(lambda: False, timeout=0.001)
            return thing

        assert count(make, 20) == 0
    finally:
        core.set_unseen_failure_handler(before)
    assert len(told) == 20 and all(text.startswith("('of', <") for text in told)


def test_a_cycle_through_the_attributes_of_a_group_is_freed():
    def make():
        thing = Thing()
        thing.group = ThreadGroup("g")
        thing.group.thing = thing
        return thing

    assert count(make) == 0


def test_an_exception_is_delivered_whole_after_its_handle_was_collected():
    group = ThreadGroup("g", 1)

    def make():
        cycle = [Thing()]

        def fail():
            raise LookupError("text", cycle[0])

        cycle.append(group.add_task(fail))
        cycle[1].wait()
        cycle.append(cycle)

    for _ in range(10):
        make()
    gc.collect()
    result = group.wait_idle()
    assert [f.exception.args[0] for f in result.failures] == ["text"] * 10
    assert all(f.exception.__traceback__ is not None for f in result.failures)


def test_many_handles_nested_in_one_another_are_dropped_without_overflow():
    with ThreadGroup("g", 1) as group:
        handle = group.add_task(list)
        for _ in range(50_000):
            handle = group.add_task(lambda *kept: kept, handle)
        handle.wait()
        del handle
        gc.collect()


def test_a_task_is_cancelled_while_the_attributes_of_its_group_go(run_program):
    # They go when the object has no reference any more. Its own finalizer, which would have stopped the task, is replaced.
    result = run_program("""
import threading
from threadgroup_core import ThreadGroup
go, begun = threading.Event(), threading.Event()
class Cancels:
    def __del__(self):
        print(handle.cancel(), handle.status)
        go.set()
class Group(ThreadGroup):
    __slots__ = ("attribute",)
    def __del__(self):
        pass
group = Group("g", 1)
group.attribute = Cancels()
group.post(lambda: (begun.set(), go.wait()))
begun.wait()
handle = group.add_task(int)
del group
print("whole")
""")
    assert (result.returncode, result.stdout, result.stderr) == (0, "False pending\nwhole\n", "")


def test_a_result_is_kept_for_a_handle_that_is_only_referred_to_weakly():
    got, box, go = [], [], threading.Event()

    class Argument:
        def __del__(self):
            got.append(box[0]())

    def task(_):
        go.wait()
        return 5

    with ThreadGroup("g") as group:
        handle = group.add_task(task, Argument())
        box.append(weakref.ref(handle))
        del handle
        go.set()
    assert got[0].result() == 5


def test_a_cycle_through_as_completed_is_freed():
    with ThreadGroup("g") as group:

        def make():
            thing = Thing()
            handle = group.add_task(lambda: thing)
            handle.wait()
            thing.iterator = group.as_completed([handle])
            return thing

        assert count(make) <= 1


def test_a_cycle_through_a_failure_that_only_stderr_has_is_freed(capfd):
    before = core.set_unseen_failure_handler(None)
    try:

        def make():
            thing = Thing()

            def fail():
                raise LookupError(thing)

            group = ThreadGroup("g")
            thing.handle = group.add_task(fail)
            thing.handle.wait()
            return thing

        assert count(make, 20) == 0
    finally:
        core.set_unseen_failure_handler(before)
    assert capfd.readouterr().err.count("unseen failure: task") == 20

# SPDX-License-Identifier: Apache-2.0
"""What is freed, when, and what is said about what is dropped."""

import gc
import threading
import time
import warnings
import weakref

import pytest

import threadgroup_core as core
from threadgroup_core import ThreadGroup, thread_utils


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


@pytest.fixture
def told():
    """The unseen failures that are reported meanwhile."""
    told = []
    before = core.set_unseen_failure_handler(lambda path, task, error: told.append(f"{path}: {task}: {error}"))
    yield told
    core.set_unseen_failure_handler(before)


def await_end_of(group_id):
    """Waits until the group has left the tree: then each report of it was written."""
    deadline = time.monotonic() + 60
    while any(node.id == group_id for node in core.snapshot()):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_group_that_only_its_tasks_refer_to_lives_until_they_are_done(told, recwarn):
    warnings.simplefilter("always")
    ran, go = [], threading.Event()

    def make():
        group = ThreadGroup("g", 1)
        group.post(go.wait)
        for i in range(3):
            group.post(lambda i=i, group=group: ran.append((i, group.event_is_set())))
        return group

    group = make()
    reference, group_id = weakref.ref(group), group.id
    del group
    gc.collect()
    assert reference() is not None
    go.set()
    await_end_of(group_id)
    assert reference() is None
    assert ran == [(0, False), (1, False), (2, False)]
    # It was dropped by its own last task, which is nothing to warn of.
    assert not told and not recwarn.list


def test_a_group_dropped_by_a_task_of_its_own_stops_the_others_and_warns_of_them(told, recwarn):
    warnings.simplefilter("always")
    group, others, go, outcomes = ThreadGroup("g", 2), threading.Semaphore(0), threading.Event(), []

    def other():
        others.release()
        outcomes.append(thread_utils.event_aware_sleep(1000))

    def drop(holder):
        go.wait()
        holder.clear()
        outcomes.append(thread_utils.event_is_set())

    holder, group_id = [group], group.id
    group.post(other)
    group.post(drop, holder)
    others.acquire()
    for _ in range(3):
        group.post(int)
    del group
    go.set()
    await_end_of(group_id)
    assert sorted(outcomes) == [False, True]
    (warning,) = [str(w.message) for w in recwarn.list]
    assert warning == ("group 'MainThread/g' was dropped with 3 pending and 1 running task, by a task that cannot wait "
                       "for them: join it first")
    assert not told


def test_a_group_dropped_by_a_task_below_it_goes_in_silence_if_it_is_idle(told, recwarn):
    warnings.simplefilter("always")
    stopped, go = [], threading.Event()
    group = ThreadGroup("g", 1)
    child, holder, group_id = group.add_task(ThreadGroup, "child").get(), [group], group.id
    group.join()
    child.post(lambda: (go.wait(), holder.clear(), stopped.append(thread_utils.event_is_set())))
    del group
    go.set()
    child.join()
    await_end_of(group_id)
    assert stopped == [True] and not told and not recwarn.list


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


def test_pending_tasks_that_are_dropped_with_a_group_are_counted_in_a_warning():
    group, begun = ThreadGroup("busy", 1), threading.Event()
    group.post(lambda: (begun.set(), thread_utils.event_aware_sleep(1000)))
    begun.wait()
    for _ in range(3):
        group.post(int)
    with pytest.warns(ResourceWarning, match="group 'MainThread/busy' was dropped with 3 pending tasks"):
        del group
        gc.collect()


def test_no_warning_for_tasks_that_were_skipped_on_purpose():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        group, begun = ThreadGroup("busy", 1), threading.Event()
        group.post(lambda: (begun.set(), thread_utils.event_aware_sleep(1000)))
        begun.wait()
        for _ in range(3):
            group.post(int)
        group.set_event()
        del group
        gc.collect()


def test_pending_tasks_at_the_end_of_the_process_are_counted_in_a_warning(run_program):
    result = run_program("""
import warnings, threading
warnings.simplefilter("always")
from threadgroup_core import ThreadGroup, thread_utils
group = ThreadGroup("left", 1)
begun = threading.Event()
group.post(lambda: (begun.set(), thread_utils.event_aware_sleep(1000)))
begun.wait()
for _ in range(4):
    group.post(int)
""")
    assert result.returncode == 0
    assert "ResourceWarning: the process ended with 4 pending tasks in group 'left'" in result.stderr


GARBAGE_WITH_A_FAILURE = """
import gc, threading
import threadgroup_core as core
from threadgroup_core import ThreadGroup
gc.disable()
def tell(path, task, error):
    print(path, str(error), [error.__traceback__.tb_frame.f_code.co_name])
core.set_unseen_failure_handler(tell)
go = threading.Event()
def fail(group):
    raise ValueError("important")
def make():
    group = ThreadGroup("g", 1)
    child = group.add_task(ThreadGroup, "child", 1).get()
    group.post(fail, group)
    group.wait_for_condition(lambda: False)
    return [group], child
holder, child = make()
{drop}
child.join()
print("whole")
"""


@pytest.mark.parametrize("drop", ["holder.clear(); gc.collect()", "child.post(lambda: (holder.clear(), gc.collect()))"])
def test_a_failure_is_reported_before_an_idle_group_is_taken_apart(run_program, drop):
    result = run_program(GARBAGE_WITH_A_FAILURE.format(drop=drop))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "MainThread/g important ['fail']\nwhole\n"


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


def test_a_failure_is_reported_although_ctrl_c_ends_the_wait_for_its_group(run_program):
    result = run_program("""
import gc, os, signal, threading
import threadgroup_core as core
from threadgroup_core import ThreadGroup, thread_utils
gc.disable()
core.set_unseen_failure_handler(lambda path, task, error: print("told", str(error)))
go, begun = threading.Event(), threading.Event()
def fail(group):
    raise ValueError("important")
def stubborn():
    begun.set()
    while thread_utils.event_aware_sleep(1000):
        pass
    os.kill(os.getpid(), signal.SIGINT)  # the group is garbage, and its end waits for this task
    go.wait()
group = ThreadGroup("g", 2)
group.post(fail, group)
while not group.statistics.failed:
    thread_utils.event_aware_sleep(0.001)
group.post(stubborn)
begun.wait()
try:
    del group
    gc.collect()
    for _ in range(1000): pass
except KeyboardInterrupt:
    print("interrupted")
go.set()
""")
    assert (result.returncode, result.stdout, result.stderr) == (0, "told important\ninterrupted\n", "")

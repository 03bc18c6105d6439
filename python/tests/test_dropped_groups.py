# SPDX-License-Identifier: Apache-2.0
"""Groups that are dropped: what their tasks do then, and what is said about those that did not begin or have failed."""

import gc
import threading
import warnings
import weakref

import pytest

import threadgroup_core as core
from blocking_cases import wait_until
from threadgroup_core import ThreadGroup, thread_utils


@pytest.fixture
def told():
    """The unseen failures that are reported meanwhile."""
    told = []
    before = core.set_unseen_failure_handler(lambda path, task, error: told.append(f"{path}: {task}: {error}"))
    yield told
    core.set_unseen_failure_handler(before)


def await_end_of(group_id):
    """Waits until the group has left the tree: then each report of it was written."""
    wait_until(lambda: all(node.id != group_id for node in core.snapshot()))


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

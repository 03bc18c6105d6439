# SPDX-License-Identifier: Apache-2.0
"""What other code sees of the threads that run tasks: tracers, thread-local state, and the list of threads."""

import threading

import pytest

from threadgroup_core import ThreadGroup


@pytest.fixture
def hooks():
    yield
    threading.settrace(None)
    threading.setprofile(None)


def traced_task():
    return "result"


def test_tracers_see_tasks_that_start_after_they_were_set(hooks):
    calls = []

    def tracer(frame, event, arg):
        if event == "call" and frame.f_code is traced_task.__code__:
            calls.append(threading.current_thread().name)

    group = ThreadGroup("traced", 1)
    group.add_task(traced_task).get()
    assert calls == []
    threading.settrace(tracer)
    group.add_task(traced_task).get()
    assert calls == ["traced_0"]
    threading.settrace(None)
    group.add_task(traced_task).get()
    assert len(calls) == 1


def test_profilers_see_tasks_of_a_worker_that_is_busy_already(hooks):
    calls = []

    def profiler(frame, event, arg):
        if event == "return" and frame.f_code is traced_task.__code__:
            calls.append(arg)

    first, go = threading.Event(), threading.Event()
    group = ThreadGroup("g", 1)
    group.post(lambda: (first.set(), go.wait()))
    tasks = [group.add_task(traced_task) for _ in range(3)]
    first.wait()
    threading.setprofile(profiler)
    go.set()
    for task in tasks:
        task.wait()
    group.join()
    assert calls == ["result"] * 3


def test_thread_local_state_does_not_pass_from_one_group_to_another(run_program):
    # In a process of its own: there the one worker of the first group is free for the second.
    result = run_program("""
import threading, weakref
from threadgroup_core import ThreadGroup
local = threading.local()
class Thing: pass
def put():
    local.thing = Thing()
    return threading.get_native_id(), weakref.ref(local.thing)
same = 0
while same < 3:
    with ThreadGroup("first", 1) as first:
        thread, thing = first.add_task(put).get()
    with ThreadGroup("second", 1) as second:
        other, leaked = second.add_task(lambda: (threading.get_native_id(), hasattr(local, "thing"))).get()
    assert not leaked
    if other == thread:
        same += 1
        assert thing() is None
print("clean")
""")
    assert (result.stdout, result.stderr) == ("clean\n", "")


def test_thread_local_state_stays_from_task_to_task_of_a_group_and_goes_with_the_group(run_program):
    result = run_program("""
import threading, weakref
from threadgroup_core import ThreadGroup
local = threading.local()
class Thing: pass
def put():
    local.thing = Thing()
    return threading.get_native_id(), weakref.ref(local.thing)
group = ThreadGroup("g", 1)
thread, thing = group.add_task(put).get()
same = 0
while same < 3:
    group.join()   # idle in between
    where, what = group.add_task(lambda: (threading.get_native_id(), getattr(local, "thing", None))).get()
    if where == thread:
        same += 1
        assert what is thing(), what
    del what
group.join()
while thing() is not None and group.statistics.threads:
    pass
del group
assert thing() is None
print("kept")
""")
    assert (result.stdout, result.stderr) == ("kept\n", "")


def listed(prefix):
    return sorted(t.name for t in threading.enumerate() if t.name.startswith(prefix))


def test_idle_workers_are_listed_as_long_as_their_group_lives():
    group, barrier = ThreadGroup("listed", 3), threading.Barrier(3)
    for handle in [group.add_task(barrier.wait) for _ in range(3)]:
        handle.get()
    group.join()
    while group.statistics.threads:
        group.wait_idle()
    assert listed("listed") == ["listed_0", "listed_1", "listed_2"]
    del group
    assert listed("listed") == []


def test_no_more_workers_are_listed_than_the_bound_allows():
    group = ThreadGroup("few", 2)
    for _ in range(50):
        with ThreadGroup("other", 4) as other:
            for _ in range(4):
                other.post(int)
        group.add_task(int).get()
        assert set(listed("few")) <= {"few_0", "few_1"}
    idle = listed("few")
    assert idle and all(t.is_alive() for t in threading.enumerate())
    with ThreadGroup("g") as g:
        g.add_task(int).get()

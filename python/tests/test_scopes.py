# SPDX-License-Identifier: Apache-2.0
"""StopScope, Shield and timeout: stops for a part of a task, or of any thread."""

import os
import threading
import time
import warnings

import pytest

import threadgroup_core as core
from threadgroup_core import Semaphore, Shield, Stopped, StopScope, ThreadGroup, WaitOutcome, every, thread_utils, timeout


def begun_and_blocked():
    """A group whose task runs until `go` is set, whatever is stopped."""
    group, begun, go = ThreadGroup("g", daemon=True), threading.Event(), threading.Event()
    handle = group.add_task(lambda: (begun.set(), go.wait()))
    begun.wait()
    return group, handle, go


def wait_for_handle(stopped):
    group, handle, go = begun_and_blocked()
    try:
        assert handle.wait() is False
        with pytest.raises(core.WaitInterrupted):
            handle.get()
        assert group.wait_idle().event_set
        with pytest.raises(core.WaitInterrupted):
            next(core.as_completed([handle]))
    finally:
        go.set()


WAITS = {
    "sleep": lambda scope: thread_utils.event_aware_sleep(1000) is False,
    "handle": wait_for_handle,
    "semaphore": lambda scope: Semaphore(0).acquire() is WaitOutcome.EVENT_SET,
    "every": lambda scope: list(every(1000)) == [],
}


@pytest.mark.parametrize("name", WAITS)
@pytest.mark.parametrize("where", ["main", "task", "thread"])
def test_the_time_of_a_scope_ends_every_wait_in_its_block(name, where):
    def run():
        with StopScope(0.02, "part") as scope:
            assert WAITS[name](scope) is not False
            assert scope.timed_out() and scope.event_is_set() and thread_utils.event_is_set()
            assert "MainThread" not in threading.current_thread().name or "part" in thread_utils.current_path()
        assert scope.timed_out() and scope.event_is_set()
        assert scope.reason.kind is core.ReasonKind.DEADLINE
        assert not thread_utils.event_is_set()
        return True

    if where == "main":
        assert run()
    elif where == "task":
        outer = ThreadGroup("outer")
        assert outer.add_task(run).get()
    else:
        done = []
        thread = threading.Thread(target=lambda: done.append(run()))
        thread.start()
        thread.join()
        assert done == [True]


def test_a_scope_that_was_not_stopped_says_so():
    with StopScope(1000, name="n") as scope:
        assert scope.name == "n" and scope.reason is None and not scope.event_is_set() and not scope.timed_out()
        assert thread_utils.event_aware_sleep(0)
    assert scope.reason is None and not scope.event_is_set() and not scope.set_event()


def test_another_thread_stops_a_scope():
    with StopScope() as scope:
        thread = threading.Thread(target=scope.set_event, args=("enough",))
        thread.start()
        assert thread_utils.event_aware_sleep(1000) is False
        thread.join()
        assert not scope.set_event("again")
    assert scope.reason.message == "enough" and not scope.timed_out()
    assert scope.reason.kind is core.ReasonKind.REQUESTED and os.path.samefile(scope.reason.file, threading.__file__)


def test_a_stop_before_the_block_stops_it_as_it_begins():
    scope = StopScope(1000)
    assert scope.set_event("early") and not scope.set_event("later")
    with scope:
        assert thread_utils.event_aware_sleep(1000) is False
        with pytest.raises(Stopped, match="early"):
            thread_utils.throw_if_event_set()


def test_a_group_made_in_a_scope_is_below_it_and_stopped_with_it():
    with StopScope(0.02, "search"):
        with ThreadGroup("engines") as group:
            assert group.path.endswith("search/engines")
            slow = group.add_task(thread_utils.event_aware_sleep, 1000)
    assert slow.status is core.TaskStatus.SKIPPED or slow.get() is False
    assert group.reason.kind is core.ReasonKind.DEADLINE


def test_the_end_of_a_group_is_awaited_in_a_stopped_scope():
    group, handle, go = begun_and_blocked()
    timer = threading.Timer(0.1, go.set)
    with StopScope(0):
        timer.start()
        del group
        assert handle.done()
    timer.join()


def test_a_stop_of_the_group_reaches_the_scope():
    group, begun = ThreadGroup("g"), threading.Event()

    def task():
        with StopScope(1000) as scope:
            begun.set()
            slept = thread_utils.event_aware_sleep(1000)
        return slept, scope.timed_out(), scope.reason.message

    handle = group.add_task(task)
    begun.wait()
    group.set_event("enough")
    assert handle.get() == (False, False, "enough")


def test_a_shield_lets_a_stopped_task_clean_up():
    group = ThreadGroup("g")

    def task():
        thread_utils.set_event("enough")
        assert not thread_utils.event_aware_sleep(1000)
        with Shield(1000, "roll back"):
            assert thread_utils.event_aware_sleep(0.001)
            with ThreadGroup("inside") as inside:
                assert inside.add_task(lambda: 7).get() == 7
            assert Semaphore(1).acquire()
        return thread_utils.event_is_set()

    assert group.add_task(task).get() is True


def test_a_shield_ends_with_its_grace():
    group = ThreadGroup("g")

    def task():
        thread_utils.set_event("enough")
        with Shield(0.02):
            return thread_utils.event_aware_sleep(1000)

    assert group.add_task(task).get() is False


# --- Misuse ---


def test_a_scope_is_used_once():
    scope = StopScope()
    with pytest.raises(RuntimeError, match="not entered"):
        scope.__exit__(None, None, None)
    with scope:
        with pytest.raises(RuntimeError, match="entered once"):
            scope.__enter__()
    for wrong in (scope.__enter__, lambda: scope.__exit__(None, None, None)):
        with pytest.raises(RuntimeError):
            wrong()
    with pytest.raises(TypeError):
        Shield()
    with pytest.raises(ValueError):
        StopScope(float("nan"))


def test_scopes_that_are_left_out_of_order_raise_and_end_with_the_inner_one():
    outer, inner = StopScope(name="outer"), Shield(1, "inner")
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(RuntimeError, match="'outer' is left before Shield 'inner'"):
        outer.__exit__(None, None, None)
    assert outer.set_event(), "it is still there"
    inner.__exit__(None, None, None)
    assert not thread_utils.event_is_set() and thread_utils.current_path() == "MainThread"
    assert outer.event_is_set()


def test_a_scope_that_is_left_on_another_thread_raises_and_ends_later():
    scope, raised = StopScope(name="s"), []

    def leave():
        try:
            scope.__exit__(None, None, None)
        except RuntimeError as e:
            raised.append(str(e))

    def task():
        scope.__enter__()
        thread = threading.Thread(target=leave)
        thread.start()
        thread.join()
        assert "s" in thread_utils.current_path()
        with StopScope(name="next"):
            return thread_utils.current_path()

    group = ThreadGroup("g")
    path = group.add_task(task).get()
    assert path.endswith("g/next") and "another thread" in raised[0]


def test_a_scope_that_a_generator_keeps_open_ends_with_the_task():
    def generator():
        with StopScope(name="kept"):
            yield 1
            yield 2

    kept = []

    def task():
        kept.append(generator())
        return next(kept[0])

    group = ThreadGroup("g", 1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert group.add_task(task).get() == 1
        group.join()
        assert group.add_task(thread_utils.current_path).get() == "MainThread/g"
    assert any("kept" in str(w.message) and w.category is RuntimeWarning for w in told)
    with pytest.raises(RuntimeError, match="has been left|another thread"):
        kept[0].close()


def test_a_child_process_leaves_the_scopes_of_its_parent(run_program):
    result = run_program("""
        import os
        from threadgroup_core import StopScope, thread_utils
        with StopScope(1000) as scope:
            child = os.fork()
            if child == 0:
                with StopScope(0.01):
                    assert thread_utils.event_aware_sleep(1000) is False
        if child == 0:
            assert thread_utils.event_aware_sleep(0.001)
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert (result.stdout, result.stderr) == ("7\n", "")


def test_stops_and_ends_of_scopes_meet():
    stop = threading.Event()
    current = []

    def stops():
        while not stop.is_set():
            if current:
                current[-1].set_event()
            time.sleep(0)

    thread = threading.Thread(target=stops)
    thread.start()
    for _ in range(300):
        with StopScope(1000) as scope:
            current.append(scope)
            time.sleep(0)
    stop.set()
    thread.join()


# --- timeout ---


def test_timeout_returns_what_the_call_returns():
    assert timeout(pow, 1000, 2, 5) == 32
    assert timeout(int, None, "7") == 7
    with pytest.raises(LookupError):
        timeout(lambda: {}["x"], 1000)


def test_timeout_raises_if_the_time_is_up():
    with pytest.raises(TimeoutError, match="event_aware_sleep"):
        timeout(thread_utils.event_aware_sleep, 0.01, 1000)

    def leaves():
        thread_utils.event_aware_sleep(1000)
        thread_utils.throw_if_event_set()

    with pytest.raises(TimeoutError, match="leaves was stopped") as raised:
        timeout(leaves, 0.01)
    assert isinstance(raised.value.__cause__, Stopped)


def test_a_stop_from_outside_is_no_timeout():
    group = ThreadGroup("g")

    def task():
        thread_utils.set_event("enough")
        return timeout(thread_utils.event_aware_sleep, 1000, 1000)

    assert group.add_task(task).get() is False

# SPDX-License-Identifier: Apache-2.0
"""Groups: adding, results, failures, joins, and what tasks see."""

import contextvars
import gc
import sys
import threading
import traceback
import weakref

import pytest

import threadgroup_core as core
from threadgroup_core import TaskStatus, ThreadGroup, thread_utils


def test_a_task_gets_its_arguments_and_hands_back_its_result():
    with ThreadGroup("g") as group:
        for count in range(6):
            handle = group.add_task(lambda *a, **k: (a, k), *range(count), x=count)
            assert handle.get() == (tuple(range(count)), {"x": count})


def test_what_is_not_callable_is_refused_at_the_call():
    group = ThreadGroup()
    with pytest.raises(TypeError, match="not callable"):
        group.add_task(3)
    with pytest.raises(TypeError):
        group.post()
    assert group.statistics.done == 0


def test_a_bound_of_zero_says_so():
    with pytest.raises(ValueError, match="max_concurrent_threads is 0"):
        ThreadGroup("g", 0)


def test_the_bound_is_never_exceeded():
    lock, now, most = threading.Lock(), [0], [0]

    def task():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        thread_utils.event_aware_sleep(0.001)
        with lock:
            now[0] -= 1

    with ThreadGroup("g", 3) as group:
        for _ in range(60):
            group.post(task)
    assert most[0] <= 3


def test_tasks_start_in_the_order_in_which_they_were_added():
    seen = []
    with ThreadGroup("g", 1) as group:
        for i in range(500):
            group.post(seen.append, i)
    assert seen == list(range(500))


def test_an_exception_arrives_with_its_traceback():
    def fails_here():
        raise KeyError("no")

    group = ThreadGroup("g")
    handle = group.add_task(fails_here)
    with pytest.raises(KeyError) as info:
        handle.get()
    assert "fails_here" in "".join(traceback.format_tb(info.value.__traceback__))
    assert handle.status is TaskStatus.FAILED
    assert group.join()  # seen once: the join does not tell it again


def test_one_failure_is_joined_as_itself():
    group = ThreadGroup("g")
    group.post(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        group.join()
    assert group.join()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with 3.11")
def test_several_failures_are_joined_as_an_exception_group_with_names():
    group = ThreadGroup("g", 1)
    group.add_named_task("a", lambda: 1 / 0)
    group.add_named_task("b", lambda: [][0])
    with pytest.raises(ExceptionGroup) as info:
        group.join()
    assert [f.task for f in info.value.failures] == ["a", "b"]
    assert [type(e) for e in info.value.exceptions] == [ZeroDivisionError, IndexError]
    assert "'a', 'b'" in str(info.value)


def test_a_join_that_times_out_says_what_is_left_and_changes_nothing():
    go = threading.Event()
    group = ThreadGroup("g", 1)
    running = threading.Event()
    group.add_named_task("long", lambda: (running.set(), go.wait()))
    group.post(int)
    running.wait()
    result = group.join(0)
    assert not result and result.timed_out and result.pending == 1
    assert [t.name for t in result.running] == ["long"]
    assert "1 pending, 1 running (long" in str(result)
    assert not group.event_is_set()
    go.set()
    assert group.join()


def test_wait_idle_returns_failures_and_does_not_raise():
    group = ThreadGroup("g")
    group.add_named_task("x", lambda: 1 / 0)
    (failure,) = group.wait_idle().failures
    assert failure.task == "x" and isinstance(failure.exception, ZeroDivisionError)


def test_a_join_from_a_task_of_the_group_is_an_error_and_not_a_hang():
    group = ThreadGroup("g")
    with pytest.raises(core.DeadlockError, match="task 'task 1' of group 'MainThread/g' waits for group"):
        group.add_task(group.join).get()


def test_a_task_that_waits_for_another_lends_its_place():
    group = ThreadGroup("g", 1)
    assert group.add_task(lambda: group.add_task(lambda: group.add_task(lambda: 5).get() + 1).get() + 1).get() == 7
    assert group.add_task(lambda: group.add_task(lambda: 5).get(1000)).get() == 5


def test_get_times_out_and_wait_says_so():
    group, go = ThreadGroup("g"), threading.Event()
    handle = group.add_task(go.wait)
    assert handle.wait(0) is False and not handle.done()
    with pytest.raises(TimeoutError):
        handle.get(timeout=0)
    go.set()
    assert handle.get() is True


def test_the_thread_of_a_task_is_named_and_listed_while_it_serves():
    with ThreadGroup("Verifying Users", 2) as group:
        thread = group.add_task(threading.current_thread).get()
        name, known, ident = group.add_task(lambda: (
            threading.current_thread().name, threading.current_thread() in threading.enumerate(),
            threading.current_thread().ident == threading.get_ident())).get()
    assert name.startswith("Verifying Users_") and known and ident
    assert thread.daemon
    with pytest.raises(RuntimeError, match="join the group"):
        thread.join()


def test_a_task_sees_the_context_of_the_caller_that_added_it():
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(1)
    with ThreadGroup("g") as group:
        first = group.add_task(variable.get)
        variable.set(2)
        second = group.add_task(lambda: (variable.get(), variable.set(9))[0])
        assert (first.get(), second.get(), variable.get()) == (1, 2, 2)


def test_a_group_that_is_collected_stops_its_tasks_and_reports_unseen_failures():
    told = []
    before = core.set_unseen_failure_handler(lambda *what: told.append(what))
    try:
        group = ThreadGroup("g", 1)
        group.add_named_task("bad", lambda: 1 / 0)
        ready = threading.Event()
        handle = group.add_task(lambda: (ready.set(), thread_utils.event_aware_sleep(1000))[1])
        ready.wait()
        del group
        gc.collect()
        assert handle.get() is False
    finally:
        core.set_unseen_failure_handler(before)
    ((path, task, error),) = told
    assert (path, task) == ("MainThread/g", "bad") and isinstance(error, ZeroDivisionError)


def test_callable_arguments_and_result_are_released():
    class Thing:
        pass

    with ThreadGroup("g") as group:
        thing = Thing()
        reference = weakref.ref(thing)
        handle = group.add_task(lambda x: None, thing)
        del thing
        handle.get()
        group.join()
        gc.collect()
        assert reference() is None


def test_reference_counts_are_stable_over_100000_tasks():
    marker, word = object(), "word" * 3

    def task(a, b=None):
        return a

    def round_of(count):
        with ThreadGroup("g", 4) as group:
            handles = [group.add_task(task, marker, b=word) for _ in range(count)]
            for _ in range(count):
                group.post(task, marker)
        return all(h.get() is marker for h in handles)

    assert round_of(1000)
    gc.collect()
    before = [sys.getrefcount(o) for o in (marker, word, task, None)]
    assert round_of(50_000)
    gc.collect()
    after = [sys.getrefcount(o) for o in (marker, word, task, None)]
    assert after[:3] == before[:3]
    assert abs(after[3] - before[3]) < 1000


def test_a_group_is_made_used_and_dropped_in_a_task_many_times():
    def task(i):
        inner = ThreadGroup("inner", 2)
        return sum(h.get() for h in [inner.add_task(lambda: i) for _ in range(3)])

    with ThreadGroup("outer", 8) as group:
        assert [h.get() for h in [group.add_task(task, i) for i in range(200)]] == [3 * i for i in range(200)]


def test_names_and_messages_are_shown_with_their_control_characters_escaped(capfd):
    bad, shown = "a\nthreadgroup: forged\x1b[2J", "a\\nthreadgroup: forged\\x1b[2J"
    group = ThreadGroup(bad)
    assert shown in repr(group) and bad not in core.tree_text()
    handle = group.add_named_task(bad, int)
    assert shown in repr(handle)
    group.add_named_task(bad, lambda: 1 / 0)
    group.wait_idle()
    begun = threading.Event()
    group.post(lambda: begun.set() or 1 / 0)
    begun.wait()  # else it is skipped
    del group
    gc.collect()
    first = capfd.readouterr().err.splitlines()[0]
    assert shown in first and "\x1b" not in first

# SPDX-License-Identifier: Apache-2.0
"""Groups: adding, results, failures, joins, events, conditions and the tree."""

import contextvars
import gc
import sys
import threading
import traceback
import weakref

import pytest

import threadgroup_core as core
from threadgroup_core import TaskStatus, ThreadGroup, WaitStatus, thread_utils


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


def test_setting_the_event_wakes_sleepers_and_skips_what_is_pending():
    group = ThreadGroup("g", 1)
    ready = threading.Event()

    def sleeper():
        ready.set()
        return thread_utils.event_aware_sleep(1000)

    slept, pending = group.add_task(sleeper), group.add_task(int)
    ready.wait()
    assert group.set_event("enough") and not group.set_event("again")
    assert slept.get() is False
    with pytest.raises(core.TaskSkipped, match="enough"):
        pending.get()
    assert pending.reason.message == "enough" and pending.reason.kind is core.ReasonKind.REQUESTED
    late = group.add_task(int)
    assert late.status is TaskStatus.SKIPPED
    assert group.join()


def test_sleepers_that_are_told_and_others_whose_time_is_up_all_get_their_turn():
    group = ThreadGroup("g", 200)
    there = threading.Barrier(201)

    def sleeper(number):
        there.wait()
        if number % 2:
            return thread_utils.event_aware_sleep(1000)
        while thread_utils.event_aware_sleep(0.0005):  # its time is up again and again, also as the event comes
            pass
        return False

    handles = [group.add_task(sleeper, number) for number in range(200)]
    there.wait()
    assert group.set_event()
    assert [handle.get() for handle in handles] == [False] * 200
    assert group.join()


def test_clear_pending_skips_what_has_not_begun_and_leaves_the_rest_alone():
    group, go, begun = ThreadGroup("g", 1), threading.Event(), threading.Event()
    running = group.add_task(lambda: (begun.set(), go.wait(), thread_utils.event_is_set())[2])
    begun.wait()
    pending = [group.add_task(int) for _ in range(5)]
    assert group.clear_pending() == 5
    assert {h.status for h in pending} == {TaskStatus.SKIPPED}
    with pytest.raises(core.TaskSkipped, match="cleared"):
        pending[0].get()
    go.set()
    assert running.get() is False
    assert group.add_task(lambda: 7).get() == 7


def test_a_group_made_in_a_task_is_a_child_and_is_told_to_stop_with_it():
    outer = ThreadGroup("outer")
    ready = threading.Event()

    def task():
        inner = ThreadGroup("inner")
        handle = inner.add_task(lambda: (ready.set(), thread_utils.event_aware_sleep(1000))[1])
        path = inner.path
        inner.join()
        return path, handle.get(), inner.reason.origin_path

    handle = outer.add_task(task)
    ready.wait()
    assert "MainThread\n" in core.tree_text() and "-- inner" in core.tree_text()
    nodes = {n.name: n for n in core.snapshot()}
    assert nodes["inner"].parent == nodes["outer"].id == outer.id
    outer.set_event()
    assert handle.wait()
    assert handle.exception() is None
    assert handle.get() == ("MainThread/outer/inner", False, "MainThread/outer")


def test_a_daemon_group_is_reached_by_no_ancestor():
    outer = ThreadGroup("outer")
    daemon = outer.add_task(lambda: ThreadGroup("d", daemon=True)).get()
    outer.set_event()
    assert daemon.path == "d" and not daemon.event_is_set()


def test_a_group_of_a_foreign_thread_roots_a_tree_of_its_own():
    paths = []
    thread = threading.Thread(target=lambda: paths.append(ThreadGroup("g").path))
    thread.start()
    thread.join()
    assert not paths[0].startswith("MainThread/") and paths[0].endswith("/g")


def test_a_condition_that_comes_true_stops_the_group():
    group, found = ThreadGroup("g"), []

    def task(i):
        if i == 3:
            found.append(i)
        thread_utils.event_aware_sleep(1000)

    for i in range(8):
        group.post(task, i)
    assert group.wait_for_condition(lambda: found, timeout=100) is WaitStatus.CONDITION_MET
    assert group.reason.kind is core.ReasonKind.CONDITION_MET
    assert group.join()


def test_a_condition_ends_by_time_by_event_or_because_nobody_is_left():
    group, go = ThreadGroup("g"), threading.Event()
    group.post(go.wait)
    status = group.wait_for_condition(lambda: False, timeout=0)
    assert status is WaitStatus.TIMED_OUT and not status
    go.set()
    assert group.wait_for_condition(lambda: False) is WaitStatus.GROUP_IDLE
    group.set_event()
    assert group.wait_for_condition(lambda: False) is WaitStatus.EVENT_SET


def test_a_predicate_that_raises_is_passed_on():
    group = ThreadGroup("g")
    with pytest.raises(ZeroDivisionError):
        group.wait_for_condition(lambda: 1 / 0, 10)
    assert not group.event_is_set()


def test_notify_makes_a_waiter_look_again():
    group, box, looked, go = ThreadGroup("g"), [], threading.Event(), threading.Event()
    group.post(go.wait)

    def look():
        looked.set()
        return box

    def other():
        looked.wait()
        box.append(1)
        group.notify()

    thread = threading.Thread(target=other)
    thread.start()
    assert group.wait_for_condition(look, None, interval=1000)
    thread.join()
    go.set()


def test_outside_a_task_group_calls_say_that_there_is_no_group():
    assert thread_utils.event_aware_sleep(0) is True
    assert not thread_utils.event_is_set() and thread_utils.reason() is None
    assert thread_utils.current_path() == "MainThread"
    for call in (thread_utils.set_event, thread_utils.notify):
        with pytest.raises(core.NoGroupError):
            call()
    with pytest.raises(core.NoGroupError):
        thread_utils.wait_for_condition(lambda: True)


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


def test_a_task_sees_the_context_of_whoever_added_it():
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(1)
    with ThreadGroup("g") as group:
        first = group.add_task(variable.get)
        variable.set(2)
        second = group.add_task(lambda: (variable.get(), variable.set(9))[0])
        assert (first.get(), second.get(), variable.get()) == (1, 2, 2)


def test_failure_of_one_stops_the_others_if_the_group_says_so():
    group = ThreadGroup("g", 2, on_failure="set_event")
    group.post(thread_utils.event_aware_sleep, 1000)
    group.post(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        group.join()
    assert group.reason.kind is core.ReasonKind.FAILURE
    assert isinstance(group.reason.exception, ZeroDivisionError)


def test_the_time_limit_stops_the_group():
    group = ThreadGroup("g", time_limit=0.01)
    handle = group.add_task(thread_utils.event_aware_sleep, 1000)
    assert handle.wait()
    assert handle.status is TaskStatus.SKIPPED or handle.get() is False
    assert group.reason.kind is core.ReasonKind.DEADLINE


def test_an_exception_leaving_the_block_stops_the_tasks():
    with pytest.raises(LookupError):
        with ThreadGroup("g") as group:
            handle = group.add_task(thread_utils.event_aware_sleep, 1000)
            raise LookupError
    assert handle.status in (TaskStatus.SUCCEEDED, TaskStatus.SKIPPED)


def test_a_group_that_goes_stops_its_tasks_and_tells_failures_that_nobody_saw():
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


def test_callable_arguments_and_result_are_let_go():
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

def test_a_task_that_a_stop_ends_is_stopped_and_no_failure():
    running = threading.Event()

    def leaves():
        running.set()
        assert not thread_utils.event_aware_sleep(60)
        thread_utils.throw_if_event_set()

    with ThreadGroup("group") as group:
        handle = group.add_task(leaves)
        assert running.wait(30)
        group.set_event("enough")
        result = group.join()
    assert handle.status is TaskStatus.STOPPED
    assert handle.reason.message == "enough"
    with pytest.raises(core.Stopped, match="enough"):
        handle.get()
    assert (result.counts.stopped, result.counts.failed) == (1, 0)
    assert result.reason.message == "enough"
    assert not result.all_succeeded
    assert "1 stopped" in str(result)


def test_without_a_stop_a_raised_stopped_is_a_failure():
    def leaves():
        raise core.Stopped("for no reason")

    group = ThreadGroup("group")
    handle = group.add_task(leaves)
    with pytest.raises(core.Stopped, match="for no reason"):
        group.join()
    assert handle.status is TaskStatus.FAILED


def test_a_class_of_ones_own_comes_out_of_a_stopped_task_as_itself():
    class NoMore(core.Stopped):
        pass

    group = ThreadGroup("group")

    def leaves():
        thread_utils.set_event("enough")
        raise NoMore("pages")

    handle = group.add_task(leaves)
    assert group.join().counts.stopped == 1
    with pytest.raises(NoMore, match="pages"):
        handle.get()


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

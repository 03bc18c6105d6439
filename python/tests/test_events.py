# SPDX-License-Identifier: Apache-2.0
"""Events of groups: what sets them, which tasks they stop, and waits for a condition."""

import contextvars
import select
import threading

import pytest

import threadgroup_core as core
from blocking_cases import wait_until
from threadgroup_core import TaskStatus, ThreadGroup, WaitStatus, thread_utils


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


def test_sleepers_that_are_stopped_and_others_whose_time_is_up_all_return():
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


def test_a_group_made_in_a_task_is_a_child_and_is_stopped_with_it():
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


def test_a_dump_says_what_each_task_waits_for_and_what_it_has_noted():
    thread_utils.note("outside of tasks it does nothing")
    group = ThreadGroup("work")
    noted = threading.Event()

    def pages():
        thread_utils.note("page 6")
        thread_utils.note(text="page 7")
        noted.set()
        thread_utils.event_aware_sleep(1000)

    group.add_task(pages)
    assert noted.wait(20)
    wait_until(lambda: "; page 7; waits for a time (event_aware_sleep)" in core.dump())
    assert "\n    - 'task 1' (for " in core.dump()
    running = group.join(timeout=0).running
    assert [task.note for task in running] == ["page 7"]
    with pytest.raises(TypeError):
        thread_utils.note(7)
    group.set_event()
    group.join()


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


def test_a_wait_for_a_condition_ends_by_time_by_event_or_when_no_task_is_left():
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


def test_the_descriptor_of_a_stop_wakes_a_task_that_polls():
    polls = threading.Event()
    descriptors = []

    def poll():
        descriptors.append(thread_utils.stop_fd())
        polls.set()
        readable, _, _ = select.select([descriptors[0]], [], [], 60)
        return readable

    with ThreadGroup("group") as group:
        handle = group.add_task(poll)
        assert polls.wait(30)
        group.set_event("enough")
        assert handle.get(30) == descriptors
    assert select.select([thread_utils.stop_fd()], [], [], 0)[0] == []


def test_a_call_that_nothing_can_end_is_left_behind_by_a_stop():
    begun, go = threading.Event(), threading.Event()

    def blocks():
        begun.set()
        go.wait(60)
        return 7

    with ThreadGroup("fetch") as group:
        handle = group.add_task(thread_utils.abandonable, blocks)
        assert begun.wait(30)
        group.set_event("enough")
        with pytest.raises(core.Stopped, match="enough"):
            handle.get(30)
        assert group.join().counts.stopped == 1
        assert "blocks (call, abandoned by 'MainThread/fetch'" in core.tree_text()
    go.set()


def test_a_call_beyond_the_greatest_number_waits_and_is_not_made_if_its_caller_is_stopped():
    begun, go, made = threading.Event(), threading.Event(), []
    with pytest.raises(ValueError):
        core.set_max_abandonable_calls(0)
    core.set_max_abandonable_calls(1)
    try:
        with ThreadGroup("first") as first, ThreadGroup("second") as second:
            handle = first.add_task(thread_utils.abandonable, lambda: (begun.set(), go.wait(60))[1])
            assert begun.wait(30)
            late = second.add_task(thread_utils.abandonable, made.append, 1)
            wait_until(lambda: [task.waits_for for task in second.join(0).running] == ["another abandonable call to end (set_max_abandonable_calls)"])
            second.set_event()
            with pytest.raises(core.Stopped):
                late.get(30)
            go.set()
            assert handle.get(30) is True and made == []
    finally:
        go.set()
        core.set_max_abandonable_calls(64)


def test_a_call_on_a_thread_of_its_own_gives_its_result_or_its_exception():
    variable = contextvars.ContextVar("variable", default=0)

    def caller():
        variable.set(5)
        main = threading.get_ident()
        assert thread_utils.abandonable(threading.get_ident) != main
        with pytest.raises(ZeroDivisionError):
            thread_utils.abandonable(divmod, 1, 0)
        return thread_utils.abandonable(int, "17", base=8) + thread_utils.abandonable(variable.get)

    with ThreadGroup("group") as group:
        assert group.add_task(caller).get(30) == 0o17 + 5
    assert thread_utils.abandonable(threading.get_ident) == threading.get_ident()


def test_a_call_on_the_main_thread_is_left_behind_at_a_deadline():
    go = threading.Event()
    with core.StopScope(0.01):
        with pytest.raises(core.Stopped):
            thread_utils.abandonable(go.wait, 60)
    go.set()

# SPDX-License-Identifier: Apache-2.0
"""Handles in the ways of concurrent.futures and asyncio, and the tasks of a group as they come."""

import asyncio
import concurrent.futures
import threading

import pytest

import threadgroup_core as core
from threadgroup_core import TaskStatus, ThreadGroup, thread_utils

from support import Blocked


def test_result_and_exception_wait_with_a_timeout_as_those_of_a_future():
    with Blocked() as b:
        for call in (b.running.result, b.running.exception):
            with pytest.raises(concurrent.futures.TimeoutError):
                call(timeout=0)
            with pytest.raises(concurrent.futures.TimeoutError):
                call(0.0)
        assert b.running.running() and not b.running.done() and not b.running.cancelled()
        b.go.set()
        assert b.running.result() is True and b.running.exception() is None
        assert b.running.done() and not b.running.running()
        failed = b.group.add_task(lambda: 1 / 0)
        assert isinstance(failed.exception(), ZeroDivisionError)
        with pytest.raises(ZeroDivisionError):
            failed.result()


def test_a_cancelled_task_never_runs_and_is_counted_as_skipped_at_once():
    with Blocked() as b:
        ran = []
        first, second, third = (b.group.add_task(ran.append, i) for i in range(3))
        assert second.cancel() and second.cancel()
        assert second.cancelled() and second.done() and second.status is TaskStatus.SKIPPED
        counts = b.group.statistics
        assert (counts.pending, counts.skipped) == (2, 1)
        for call in (second.result, second.get, second.exception):
            with pytest.raises(core.TaskSkipped, match="the task was cancelled"):
                call()
            with pytest.raises(concurrent.futures.CancelledError):
                call()
        assert not b.group.event_is_set()
        b.go.set()
        assert b.group.join()
        assert ran == [0, 2] and not first.cancelled()
        assert not first.cancel() and not b.running.cancel()


def test_a_running_task_cannot_be_cancelled():
    with Blocked() as b:
        assert not b.running.cancel()
        b.go.set()
        assert b.running.result() is True


def wait_for(handle):
    return handle.wait()


def test_a_waiter_wakes_as_the_task_is_cancelled(wait_until_in):
    with Blocked() as b:
        pending = b.group.add_task(int)
        outcome = []
        thread = threading.Thread(target=lambda: outcome.append(wait_for(pending)))
        thread.start()
        wait_until_in(thread, wait_for)
        assert pending.cancel()
        thread.join()
        assert outcome == [True]


def test_a_task_added_by_a_task_can_be_cancelled():
    def parent():
        children = [group.add_task(int) for _ in range(5)]
        return [child.cancel() for child in children], [child.status for child in children]

    with ThreadGroup("g", 1) as group:
        cancelled, statuses = group.add_task(parent).get()
        assert cancelled == [True] * 5 and set(statuses) == {TaskStatus.SKIPPED}
        group.join()
        assert group.statistics.skipped == 5 and group.statistics.succeeded == 1


def test_the_handle_of_a_group_that_has_gone_can_still_be_asked():
    group = ThreadGroup("g")
    handle = group.add_task(int)
    group.join()
    del group
    assert not handle.cancel() and handle.result() == 0


def test_callbacks_are_called_once_in_order_with_the_handle():
    seen = []
    with Blocked() as b:
        for i in range(3):
            b.running.add_done_callback(lambda h, i=i: seen.append((i, h is b.running, h.done())))
        assert seen == []
        b.go.set()
        b.group.join()
        assert seen == [(0, True, True), (1, True, True), (2, True, True)]
        b.running.add_done_callback(lambda h: seen.append("late"))
        assert seen[3:] == ["late"]


def test_a_callback_that_raises_is_logged_and_the_others_are_called(caplog):
    seen = []
    with Blocked() as b:
        b.running.add_done_callback(lambda h: 1 / 0)
        b.running.add_done_callback(seen.append)
        b.go.set()
        b.group.join()
    assert seen == [b.running]
    assert "exception calling callback" in caplog.text and "ZeroDivisionError" in caplog.text


def test_callbacks_of_a_cancelled_task_are_called_by_the_one_who_cancels():
    with Blocked() as b:
        pending, seen = b.group.add_task(int), []
        pending.add_done_callback(lambda h: seen.append((h.cancelled(), threading.current_thread())))
        pending.cancel()
        assert seen == [(True, threading.current_thread())]


def go_when_awaited(blocked, *handles, first=lambda: None):
    """Lets the tasks run when a thread waits for all of these handles by the means of concurrent.futures."""

    def go():
        while not all(handle._waiters for handle in handles):
            threading.Event().wait(0.001)
        first()
        blocked.go.set()

    threading.Thread(target=go).start()


def test_concurrent_futures_wait_takes_handles():
    with Blocked() as b:
        done = b.group.add_task(int)
        failing, cancelled = b.group.add_task(lambda: 1 / 0), b.group.add_task(int)
        handles = [b.running, done, failing, cancelled]
        assert concurrent.futures.wait(handles, timeout=0) == (set(), set(handles))
        cancelled.cancel()
        some = concurrent.futures.wait(handles, return_when=concurrent.futures.FIRST_COMPLETED)
        assert some.done == {cancelled}
        go_when_awaited(b, done, failing)
        first = concurrent.futures.wait(handles, timeout=30, return_when=concurrent.futures.FIRST_EXCEPTION)
        assert failing in first.done
        assert concurrent.futures.wait(handles) == (set(handles), set())


def test_concurrent_futures_wait_sees_every_end():
    with Blocked() as b:
        done, cancelled = b.group.add_task(int), b.group.add_task(int)
        failing, after = b.group.add_task(lambda: 1 / 0), b.group.add_task(int)
        handles = [done, cancelled, failing, after]
        go_when_awaited(b, *handles, first=cancelled.cancel)
        assert concurrent.futures.wait(handles, timeout=30).not_done == set()


def test_concurrent_futures_as_completed_takes_handles_and_futures_together():
    future = concurrent.futures.Future()
    with Blocked() as b:
        handles = [b.group.add_task(int) for _ in range(50)]
        iterator = concurrent.futures.as_completed([*handles, b.running, future])
        b.go.set()
        seen = {next(iterator) for _ in range(51)}
        future.set_result(1)
        assert list(iterator) == [future]
        assert seen == {*handles, b.running}


def test_concurrent_futures_see_every_end_while_tasks_end_on_all_threads():
    with ThreadGroup("g", 8) as group:
        for _ in range(300):
            handles = [group.add_task(int) for _ in range(8)]
            assert concurrent.futures.wait(handles).not_done == set()
            handles = [group.add_task(int) for _ in range(8)]
            assert set(concurrent.futures.as_completed(handles)) == set(handles)


def test_the_state_that_concurrent_futures_sees_changes_under_its_condition():
    with Blocked() as b:
        with b.running._condition:
            b.go.set()
            while not b.running.done():
                threading.Event().wait(0.001)
            assert b.running._state != "FINISHED"
        assert concurrent.futures.wait([b.running], 30).not_done == set()
        assert b.running._state == "FINISHED"


def test_a_handle_can_be_awaited():
    async def main():
        with ThreadGroup("g") as group:
            assert await group.add_task(lambda: 5) == 5
            with pytest.raises(ZeroDivisionError):
                await group.add_task(lambda: 1 / 0)
            assert await asyncio.gather(*[group.add_task(pow, i, 2) for i in range(20)]) == [i * i for i in range(20)]
            done = group.add_task(int)
            done.wait()
            assert await done == 0
            assert await asyncio.wait_for(group.add_task(int), 100) == 0

    asyncio.run(main())


def test_cancelling_the_asyncio_task_skips_a_pending_task_and_leaves_a_running_one_alone():
    async def main(b):
        pending = b.group.add_task(int)
        waiters = [asyncio.ensure_future(pending), asyncio.ensure_future(b.running)]
        await asyncio.sleep(0)
        for waiter in waiters:
            waiter.cancel()
        for waiter in waiters:
            with pytest.raises(asyncio.CancelledError):
                await waiter
        assert pending.cancelled() and b.running.running()
        with pytest.raises(core.TaskSkipped):
            await pending

    with Blocked() as b:
        asyncio.run(main(b))
        b.go.set()
        assert b.running.result() is True


def test_a_loop_that_is_closed_before_the_task_ends_does_no_harm(caplog):
    async def wait_for(handle):
        await handle

    with Blocked() as b:
        loop = asyncio.new_event_loop()
        left = loop.create_task(wait_for(b.running))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        b.go.set()
        assert b.group.join()
    left._log_destroy_pending = False
    assert not caplog.records


def test_map_gives_results_in_order_and_cancels_what_is_left():
    with ThreadGroup("g", 4) as group:
        assert list(group.map(pow, range(20), [2] * 20)) == [i * i for i in range(20)]
        with pytest.raises(ZeroDivisionError):
            list(group.map(lambda x: 1 // x, [2, 1, 0, 1]))
    with Blocked() as b:
        results = b.group.map(str, range(5))
        b.go.set()
        assert next(results) == "0"
    with Blocked() as b:
        with pytest.raises(TimeoutError):
            next(b.group.map(str, range(5), timeout=0))
        assert b.group.statistics.skipped == 5  # also the one that was waited for


def test_as_completed_gives_each_handle_once_in_the_order_of_their_ends():
    first, second = threading.Event(), threading.Event()
    with ThreadGroup("g", 3) as group:
        a, b = group.add_task(first.wait), group.add_task(second.wait)
        iterator = group.as_completed([a, b, a])
        second.set()
        assert next(iterator) is b
        first.set()
        assert list(iterator) == [a]
        with pytest.raises(TypeError, match="expected a TaskHandle, not int"):
            core.as_completed([1])
    with Blocked() as blocked:
        with pytest.raises(TimeoutError):
            next(core.as_completed([blocked.running], timeout=0))


def test_as_completed_in_a_task_lends_its_place_and_ends_with_the_group():
    group = ThreadGroup("g", 1)
    assert group.add_task(lambda: sum(h.get() for h in core.as_completed([group.add_task(int, i) for i in range(5)]))).get() == 10
    waits = threading.Event()
    with Blocked() as other:

        def waiter():
            iterator = core.as_completed([other.running])
            waits.set()
            with pytest.raises(core.WaitInterrupted, match="enough"):
                next(iterator)
            return "ended"

        handle = group.add_task(waiter)
        waits.wait()
        group.set_event("enough")
        assert handle.get() == "ended"
        assert group.join()


def test_a_task_that_leaves_by_stopped_after_the_event_is_stopped_and_no_failure():
    group, begun = ThreadGroup("g"), threading.Barrier(3)

    def task():
        begun.wait()
        while thread_utils.event_aware_sleep(1000):
            pass
        raise core.Stopped("no more pages")

    handle = group.add_task(task)
    group.post(task)
    begun.wait()
    group.set_event("enough")
    assert group.join()
    assert handle.status is TaskStatus.STOPPED and handle.reason.message == "enough"
    with pytest.raises(core.Stopped, match="no more pages"):
        handle.get()
    other = ThreadGroup("h")
    early = other.add_task(exec, "raise Stopped('x')", {"Stopped": core.Stopped})
    early.wait()
    assert early.status is TaskStatus.FAILED
    with pytest.raises(core.Stopped):
        other.join()

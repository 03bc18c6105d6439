# SPDX-License-Identifier: Apache-2.0
"""Handles in the ways of concurrent.futures and asyncio, and the tasks of a group as they come."""

import asyncio
import concurrent.futures
import gc
import os
import threading
import time
import weakref

import pytest

import threadgroup_core as core
from threadgroup_core import TaskStatus, ThreadGroup, thread_utils


class Blocked:
    """A group with a bound of one whose only place is taken until `go` is set."""

    def __init__(self, **options):
        self.go, begun = threading.Event(), threading.Event()
        self.group = ThreadGroup("g", 1, **options)
        self.running = self.group.add_task(lambda: (begun.set(), self.go.wait())[1])
        begun.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go.set()
        self.group.wait_idle()


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


def test_concurrent_futures_wait_is_told_of_every_end():
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
    group, begun = ThreadGroup("g"), threading.Event()

    def task():
        begun.set()
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
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
    # The collector comes by as a handle makes what it keeps for those to be told; it ends a group whose last task wants to be
    # told of the end of the same handle.
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
def test_a_keyboard_interrupt_is_not_swallowed_and_all_are_told(run_program, place):
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

# SPDX-License-Identifier: Apache-2.0
"""`await group.run(f)`: asyncio waits for a task, and its cancellation stops the task's calls."""

import asyncio
import statistics
import threading
import time

import pytest

from blocking_cases import CASES, is_blocked
from threadgroup_core import ThreadGroup, blocking


async def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def run_and_cancel(group, call, handle_seen):
    """How long a call goes on after the asyncio task that waits for it was cancelled."""

    async def main():
        task = asyncio.ensure_future(group.run(call))
        await until(handle_seen)
        begin = time.perf_counter()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        took = time.perf_counter() - begin
        assert group.join(20)
        return took

    return asyncio.run(main())


def is_fast(took):
    return min(took) < 0.05 and statistics.median(took) < 0.25  # a few ms; this machine may be busy


@pytest.mark.parametrize("case", ["recv", "sleep", "run", "Queue.get", "select", "Lock", "accept", "waitpid"])
def test_cancelling_an_awaited_run_ends_the_call_of_the_thread(case, on_end):
    took, rounds = [], 20 if case == "recv" else 3
    while len(took) < rounds or (not is_fast(took) and len(took) < 30):
        with ThreadGroup("calls") as group:
            call, ident = CASES[case](blocking, on_end), []
            took.append(run_and_cancel(group, lambda: (ident.append(threading.get_ident()), call()),
                                       lambda: ident and is_blocked(group, ident[0])))
            assert not group.event_is_set()
            assert group.statistics.stopped == 1
    assert is_fast(took), took


def test_run_returns_and_raises_what_the_function_does_and_stops_no_other_task(on_end):
    go, begun = threading.Event(), threading.Event()

    async def main(group):
        assert await group.run(lambda a, b: a + b, 1, b=2) == 3
        with pytest.raises(ZeroDivisionError):
            await group.run(lambda: 1 / 0)
        other = group.add_task(lambda: (begun.set(), go.wait())[1])
        await until(begun.is_set)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(group.run(blocking.sleep, 1000), 0.02)
        assert other.running()
        go.set()
        assert other.get()

    with ThreadGroup("calls") as group:
        asyncio.run(main(group))


def test_a_run_that_has_not_begun_is_skipped(on_end):
    go = threading.Event()

    async def main(group):
        running = group.add_task(go.wait)
        task = asyncio.ensure_future(group.run(pytest.fail, "it was cancelled"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        running.wait()

    with ThreadGroup("calls", 1) as group:
        asyncio.run(main(group))
        assert group.statistics.skipped == 1


def test_a_run_in_a_full_group_waits_without_blocking_the_event_loop():
    go = threading.Event()

    async def main(group):
        runs = [asyncio.ensure_future(group.run(go.wait)) for _ in range(4)]
        await asyncio.sleep(0.05)
        go.set()  # only the loop can do it
        assert await asyncio.wait_for(asyncio.gather(*runs), 20) == [True] * 4

    with ThreadGroup("calls", 1, max_pending=1) as group:
        timer = threading.Timer(10, go.set)
        timer.start()
        began = time.monotonic()
        asyncio.run(main(group))
        timer.cancel()
        assert time.monotonic() - began < 8


def test_a_run_whose_coroutine_is_closed_is_stopped():
    begun = threading.Event()

    async def main(group):
        run = group.run(lambda: (begun.set(), blocking.sleep(1000)))
        run.send(None)
        begun.wait()
        run.close()
        await until(lambda: group.statistics.stopped)

    with ThreadGroup("calls") as group:
        asyncio.run(asyncio.wait_for(main(group), 20))

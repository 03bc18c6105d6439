# SPDX-License-Identifier: Apache-2.0
"""What type checkers have to accept, and what they have to refuse; ``./dev python`` checks it with ``mypy --strict``.

It is never run. A line with ``type: ignore[CODE]`` is a mistake that has to be found: an ignore that hides nothing is an
error, too.
"""

import asyncio
import concurrent.futures
from datetime import timedelta
from typing import Any, Iterator, List, Optional

from typing_extensions import assert_type

import threadgroup_core as core
from threadgroup_core import Executor, TaskHandle, ThreadGroup, blocking, thread_utils


def length(text: str, *, twice: bool = False) -> int:
    return len(text) * (2 if twice else 1)


def tasks(group: ThreadGroup) -> None:
    assert_type(group.add_task(length, "x", twice=True), TaskHandle[int])
    assert_type(group.add_named_task("of x", length, "x"), TaskHandle[int])
    assert_type(group.add_task(lambda: "x").get(timedelta(seconds=1)), str)
    group.post(length, "x")
    group.post(print, "x", "y", sep="")
    group.add_task(length, 1)  # type: ignore[arg-type]
    group.add_task(length)  # type: ignore[call-arg]
    group.add_task(length, "x", thrice=True)  # type: ignore[call-arg]
    group.add_named_task(length, "x")  # type: ignore[arg-type]
    group.post("x")  # type: ignore[arg-type]


def groups() -> None:
    with ThreadGroup("Verifying Users", max_concurrent_threads=10, daemon=True, time_limit=timedelta(minutes=1)) as group:
        assert_type(group, ThreadGroup)
        joined = group.join(timeout=1.5)
        assert_type(joined, core.JoinResult)
        assert_type(joined.counts.succeeded, int)
        assert_type(group.wait_idle().failures, List[core.Failure])
        assert_type(group.reason, Optional[core.Reason])
        assert_type(group.set_event("enough"), bool)
        assert_type(group.clear_pending(), int)
        if group.wait_for_condition(lambda: joined.pending == 0, timeout=600, interval=None):
            group.notify()
        assert_type(group.wait_for_condition(bool), core.WaitStatus)
    ThreadGroup(10)  # type: ignore[arg-type]
    ThreadGroup("g", 10, True)  # type: ignore[misc]
    group.join("soon")  # type: ignore[arg-type]
    group.name = "other"  # type: ignore[misc]


def primitives(group: ThreadGroup) -> None:
    mutex, semaphore, limiter = core.Mutex(), core.Semaphore(2), core.RateLimiter(100, 10)
    with mutex, semaphore:
        mutex.unlock()
    assert_type(mutex.event_aware_lock(timedelta(seconds=1)), core.WaitOutcome)
    assert_type(semaphore.acquire(2, timeout=None), core.WaitOutcome)
    assert_type(limiter.try_acquire(0.5), bool)
    for tick in core.every(0.5):
        assert_type(tick, float)
    full = ThreadGroup("g", max_pending=10)
    assert_type(full.try_add_task(length, "x"), Optional[TaskHandle[int]])
    core.Semaphore("1")  # type: ignore[arg-type]
    core.every(None)  # type: ignore[arg-type]
    core.RateLimiter(1)  # type: ignore[call-arg]


def channels() -> None:
    channel: core.Channel[int] = core.Channel(1)
    assert_type(channel.send(1), core.WaitOutcome)
    assert_type(channel.receive(timeout=1), int)
    assert_type(channel.try_receive(), Optional[int])
    assert_type([item for item in channel], List[int])
    channel.send("x")  # type: ignore[arg-type]


def selects(channel: "core.Channel[int]", handle: TaskHandle[int], group: ThreadGroup) -> None:
    chosen = core.select(
        core.receive_from(channel, lambda item: item + 1),
        core.send_to(channel, 1),
        core.readable(0, print),
        core.after(timedelta(seconds=1)),
        core.handle_done(handle),
        core.when_event_set(group),
        core.otherwise(),
    )
    assert_type(chosen.outcome, core.WaitOutcome)
    assert_type(chosen.index, Optional[int])
    core.send_to(channel, "x")  # type: ignore[misc]


def shutdowns(group: ThreadGroup) -> None:
    report = group.shut_down(core.ShutdownPlan(drain=timedelta(seconds=3), stop=2))
    assert_type(report.ran_over[0].task.waits_for, str)
    assert_type(core.shut_down(), core.ShutdownReport)
    assert_type(group.stop_latency, Optional[core.StopLatency])
    with core.SignalShutdown(core.ShutdownPlan(1)) as on_signal:
        assert_type(on_signal.report(), Optional[core.ShutdownReport])
        assert_type(on_signal.wait(), core.ShutdownReport)
    group.shut_down(3)  # type: ignore[arg-type]


def scopes() -> None:
    with core.StopScope(timedelta(seconds=1), name="n") as scope, core.Shield(1):
        assert_type(scope.set_event("enough"), bool)
    assert_type(scope.timed_out(), bool)
    assert_type(scope.reason, Optional[core.Reason])
    assert_type(core.timeout(length, 5, "x", twice=True), int)
    core.Shield()  # type: ignore[call-arg]


class Named(ThreadGroup):
    def extra(self) -> int:
        return self.id


def derived() -> None:
    with Named("n") as group:
        assert_type(group.extra(), int)


def handles(group: ThreadGroup, handle: TaskHandle[int]) -> Iterator[int]:
    assert_type(handle.result(), int)
    assert_type(handle.exception(0.5), Optional[BaseException])
    assert_type(handle.status is core.TaskStatus.SKIPPED or handle.cancel(), bool)
    handle.add_done_callback(lambda done: print(done.get() + 1))
    assert_type(list(group.map(length, ["x"], timeout=1)), List[int])
    for done in core.as_completed([handle]):
        assert_type(done, TaskHandle[int])
    for done in group.as_completed([handle], timeout=None):
        yield done.result()
    text: str = handle.get()  # type: ignore[assignment]

    class Mine(TaskHandle[int]):  # type: ignore[misc]
        pass


async def awaits(group: ThreadGroup) -> None:
    assert_type(await group.add_task(length, "x"), int)
    both = await asyncio.gather(group.add_task(length, "x"), group.add_task(str, 1))
    assert_type(both[0], int)
    assert_type(both[1], str)
    with Executor(2) as executor:
        assert_type(await asyncio.get_running_loop().run_in_executor(executor, length, "x"), int)


def executors() -> None:
    executor: concurrent.futures.Executor = Executor(max_workers=8, thread_name_prefix="fetch", initializer=print)
    assert_type(executor.submit(length, "x"), "concurrent.futures.Future[int]")
    assert_type(list(executor.map(length, ["x"])), List[int])
    executor.shutdown(wait=False, cancel_futures=True)
    assert_type(Executor().submit(length, "x").result(timeout=1), int)
    assert_type(Executor().group, ThreadGroup)
    Executor("8")  # type: ignore[arg-type]


async def awaited(group: ThreadGroup) -> None:
    assert_type(await group.run(length, "x"), int)
    await group.run(length, 5)  # type: ignore[arg-type]


def blocking_calls() -> None:
    with blocking.install() as installed:
        assert_type(installed, blocking.Installed)
    numbers: "blocking.Queue[int]" = blocking.Queue()
    assert_type(numbers.get(), int)
    assert_type(blocking.socket().recv(10), bytes)
    assert_type(blocking.read(0, 10), bytes)
    assert_type(blocking.Lock().acquire(timeout=1), bool)
    blocking.sleep("1")  # type: ignore[arg-type]


def from_inside() -> None:
    assert_type(thread_utils.event_aware_sleep(timedelta(seconds=5)), bool)
    assert_type(thread_utils.event_is_set(), bool)
    assert_type(thread_utils.reason(), Optional[core.Reason])
    assert_type(thread_utils.wait_for_condition(lambda: True), core.WaitStatus)
    thread_utils.event_aware_sleep("5")  # type: ignore[arg-type]
    thread_utils.wait_for_condition(True)  # type: ignore[arg-type]


def reports(path: str, task: str, error: BaseException) -> None:
    core.set_unseen_failure_handler(reports)
    core.set_unseen_failure_handler(None)
    core.set_unseen_failure_handler(length)  # type: ignore[arg-type]
    core.set_exit_grace(2)
    assert_type(core.metrics_text("open_metrics", max_paths=20), str)
    core.metrics_text(20)  # type: ignore[arg-type]
    for node in core.snapshot():
        assert_type(node.counts, core.GroupStatistics)
        assert_type(node.parent, Optional[int])
    try:
        ThreadGroup("g").join()
    except core.TaskFailures as failures:
        assert_type(failures.failures, List[core.Failure])
        for exception in failures.exceptions:
            print(exception)
    except (core.DeadlockError, core.ForkedError, core.NoGroupError, core.Stopped, core.TaskSkipped) as e:
        print(e)


def kinds(reason: core.Reason) -> Any:
    return reason.kind is core.ReasonKind.DEADLINE or reason.exception

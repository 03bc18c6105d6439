# SPDX-License-Identifier: Apache-2.0
"""The executor, beyond what CPython's own tests ask of one."""

import asyncio
import concurrent.futures
import threading

import pytest

import threadgroup_core as core
from threadgroup_core import Executor, ThreadGroup, thread_utils


def test_asyncio_runs_calls_in_it():
    async def main():
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*[loop.run_in_executor(executor, pow, 2, n) for n in range(20)])

    with Executor(4) as executor:
        assert asyncio.run(main()) == [2**n for n in range(20)]


def test_its_threads_carry_the_prefix():
    with Executor(2, thread_name_prefix="Special") as executor:
        assert executor.submit(lambda: threading.current_thread().name).result().startswith("Special_")
        assert isinstance(executor.submit(int), concurrent.futures.Future)


def test_an_initializer_runs_once_per_thread_and_its_failure_breaks_the_pool():
    local = threading.local()
    with Executor(1, initializer=setattr, initargs=(local, "x", 1)) as executor:
        assert executor.submit(lambda: local.x).result() == 1
    with Executor(1, initializer=lambda: 1 / 0) as executor:
        with pytest.raises(concurrent.futures.thread.BrokenThreadPool):
            executor.submit(int).result()
        with pytest.raises(concurrent.futures.thread.BrokenThreadPool):
            executor.submit(int)


def test_futures_are_cancelled_when_the_group_around_is_told_to_stop():
    outer, begun, futures = ThreadGroup("outer"), threading.Event(), []

    def task():
        with Executor(1) as executor:
            futures.append(executor.submit(lambda: (begun.set(), thread_utils.event_aware_sleep(1000))[1]))
            futures.append(executor.submit(int))
            begun.set() if futures[0].done() else None

    handle = outer.add_task(task)
    begun.wait()
    outer.set_event()
    handle.get() if handle.wait() else None
    assert futures[0].result() is False
    if len(futures) > 1:
        with pytest.raises(concurrent.futures.CancelledError):
            futures[1].result()


def test_work_goes_on_when_the_executor_is_let_go():
    go = threading.Event()
    executor = Executor(1)
    first, second = executor.submit(go.wait), executor.submit(lambda: 2)
    del executor
    go.set()
    assert first.result() is True and second.result() == 2


def test_arguments_are_checked():
    for wrong in (0, -1):
        with pytest.raises(ValueError):
            Executor(wrong)
    with pytest.raises(TypeError):
        Executor(initializer=3)
    executor = Executor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(int)
    assert core.snapshot() is not None

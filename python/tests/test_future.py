# SPDX-License-Identifier: Apache-2.0
"""The futures of an executor: those of the standard library, without a condition until one is needed."""

import asyncio
import concurrent.futures
import gc
import logging
import threading
import time
import traceback
import weakref

import pytest

import threadgroup_core as core
from threadgroup_core import Executor, ThreadGroup
from threadgroup_core._future import Future


def result_of(future):
    return future.result()


@pytest.fixture
def busy():
    """An executor whose only worker waits for an event; and that event."""
    go, begun = threading.Event(), threading.Event()
    with Executor(1) as executor:
        executor.submit(lambda: (begun.set(), go.wait()))
        begun.wait()
        yield executor, go
        go.set()


def test_it_is_a_future_of_the_standard_library():
    with Executor(1) as executor:
        future = executor.submit(pow, 2, 5)
        assert isinstance(future, concurrent.futures.Future)
        assert future.result() == 32 and future.exception() is None and future.done()
        assert "finished returned int" in repr(future)


def test_it_makes_its_condition_at_the_first_use(busy):
    executor, go = busy
    future = executor.submit(int)
    go.set()
    assert future.result() == 0
    assert not any(isinstance(x, threading.Condition) for x in gc.get_referents(future))
    assert concurrent.futures.wait([future]).done == {future}
    assert any(isinstance(x, threading.Condition) for x in gc.get_referents(future))


def test_what_the_call_raised_is_raised_with_its_frames():
    def divide():
        return 1 / 0

    with Executor(1) as executor:
        future = executor.submit(divide)
        with pytest.raises(ZeroDivisionError) as caught:
            future.result()
        assert caught.value is future.exception()
        assert "divide" in [f.name for f in traceback.extract_tb(caught.value.__traceback__)]


def test_a_call_waits_for_another_one_of_an_executor_with_one_worker():
    with Executor(1) as executor:
        nested = executor.submit(lambda: executor.submit(lambda: executor.submit(int).result() + 1).result() + 1)
        assert nested.result(30) == 2


def test_a_call_that_waits_with_a_timeout_lends_its_place_too():
    with Executor(1) as executor:
        assert executor.submit(lambda: executor.submit(int).result(timeout=30)).result(30) == 0


def test_a_call_that_waits_for_itself_is_refused():
    with Executor(1) as executor:
        futures, go = [], threading.Event()
        futures.append(executor.submit(lambda: (go.wait(), futures[0].result())))
        go.set()
        with pytest.raises(core.DeadlockError):
            futures[0].result(30)


def test_a_timeout_is_raised_and_changes_nothing(busy):
    executor, go = busy
    future = executor.submit(int)
    for timeout in (0, 0.01, -1):
        with pytest.raises(concurrent.futures.TimeoutError):
            future.result(timeout=timeout)
        with pytest.raises(concurrent.futures.TimeoutError):
            future.exception(timeout)
    go.set()
    assert future.result(timeout=None) == 0


@pytest.mark.parametrize("final", ["cancel", "set_result", "set_exception", "by its state"])
def test_a_waiter_wakes_when_another_thread_ends_the_future(busy, wait_until_in, final):
    executor, _ = busy
    future = executor.submit(int)
    outcomes = []

    def wait():
        try:
            outcomes.append(result_of(future))
        except BaseException as error:
            outcomes.append(type(error))

    thread = threading.Thread(target=wait)
    thread.start()
    wait_until_in(thread, result_of)
    if final == "cancel":
        assert future.cancel()
    elif final == "set_result":
        future.set_result(7)
    elif final == "set_exception":
        future.set_exception(KeyError(1))
    else:
        future._result, future._state = 8, "FINISHED"
    thread.join(30)
    wanted = {"cancel": concurrent.futures.CancelledError, "set_result": 7, "set_exception": KeyError, "by its state": 8}
    assert outcomes == [wanted[final]]


def test_a_wait_ends_when_the_callers_group_is_stopped(busy, wait_until_in):
    executor, _ = busy
    future, workers, begun = executor.submit(int), [], threading.Event()

    def task():
        workers.append(threading.current_thread())
        begun.set()
        return result_of(future)

    group = ThreadGroup("waiting")
    handle = group.add_task(task)
    begun.wait()
    wait_until_in(workers[0], result_of)
    group.set_event("enough")
    with pytest.raises(core.WaitInterrupted, match="enough"):
        handle.get()
    assert not future.done()


def test_callbacks_are_called_in_order_and_may_fail(busy, caplog):
    executor, go = busy
    future, called = executor.submit(int), []
    future.add_done_callback(lambda f: called.append((1, f.result())))
    future.add_done_callback(lambda f: 1 / 0)
    future.add_done_callback(lambda f: called.append((2, f is future)))
    with caplog.at_level(logging.CRITICAL):
        go.set()
        executor.shutdown()
    assert called == [(1, 0), (2, True)]
    future.add_done_callback(lambda f: called.append(3))
    assert called[-1] == 3


def test_waiters_wake_before_callbacks_run(busy, wait_until_in):
    executor, go = busy
    future, woken = executor.submit(int), threading.Event()
    answers = []
    future.add_done_callback(lambda f: answers.append(woken.wait(30)))
    thread = threading.Thread(target=lambda: (result_of(future), woken.set()))
    thread.start()
    wait_until_in(thread, result_of)
    go.set()
    thread.join()
    executor.shutdown()
    assert answers == [True]


def test_wait_as_completed_and_asyncio_take_it(busy):
    executor, go = busy
    futures = [executor.submit(pow, 2, n) for n in range(20)]

    async def main():
        go.set()
        return await asyncio.gather(*[asyncio.wrap_future(f) for f in futures])

    assert asyncio.run(main()) == [2**n for n in range(20)]
    assert sorted(f.result() for f in concurrent.futures.as_completed(futures)) == [2**n for n in range(20)]
    assert concurrent.futures.wait(futures).not_done == set()


def test_wait_sees_calls_that_end_meanwhile(busy):
    executor, go = busy
    futures, answers = [executor.submit(int) for _ in range(3)], []
    thread = threading.Thread(target=lambda: answers.append(concurrent.futures.wait(futures, 30)))
    thread.start()
    while not all(f._waiters for f in futures):
        threading.Event().wait(0.001)
    go.set()
    thread.join()
    assert answers[0].not_done == set()


def test_one_made_by_hand_behaves_as_the_standard_one():
    future = Future()
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(0.01)
    thread = threading.Thread(target=lambda: (future.set_running_or_notify_cancel(), future.set_result(3)))
    thread.start()
    assert future.result(30) == 3
    thread.join()
    with pytest.raises(concurrent.futures.InvalidStateError):
        future.set_result(4)
    assert not future.cancel()
    with pytest.raises(TypeError):
        Future(1)


def test_one_that_refers_to_itself_is_freed():
    with Executor(1) as executor:
        holder = {}
        holder["future"] = executor.submit(lambda: holder)
        holder["future"].result()
        executor.shutdown()
        gone = weakref.ref(holder["future"])
    del holder, executor
    gc.collect()
    assert gone() is None


def collect_in(call, during):
    """Makes the call, whose first allocation has the garbage collector come by, which does something meanwhile."""
    done = []

    def callback(phase, info):
        if not done:
            done.append(phase)
            during()

    enabled, threshold = gc.isenabled(), gc.get_threshold()
    gc.disable()
    gc.collect()
    kept = [[] for _ in range(200)]  # now no list can be had without an allocation
    gc.set_threshold(1)
    gc.callbacks.append(callback)
    try:
        gc.enable()
        result = call()
        gc.disable()
    finally:
        gc.callbacks.remove(callback)
        gc.set_threshold(*threshold)
        gc.enable() if enabled else gc.disable()
    del kept
    return result


def test_a_callback_is_called_though_the_call_ends_while_it_is_added(busy):
    executor, go = busy
    future, called = executor.submit(int), []
    callback = called.append

    def end():
        go.set()
        while not future.done():
            time.sleep(0.001)

    collect_in(lambda: future.add_done_callback(callback), end)
    go.set()
    executor.shutdown()
    assert called == [future]


@pytest.mark.parametrize("name", ["_waiters", "_done_callbacks"])
def test_all_see_one_list(name):
    future = Future()
    outer = collect_in(lambda: getattr(future, name), lambda: getattr(future, name).append(1))
    assert outer == [1] and outer is getattr(future, name)


def test_a_wait_for_a_future_that_ends_as_the_wait_begins_does_not_wait_for_the_task(busy):
    executor, _ = busy
    future, outcomes = executor.submit(int), []

    class Timeout:
        def total_seconds(self):
            future.set_result(9)
            return 60.0

    thread = threading.Thread(target=lambda: outcomes.append(future.result(Timeout())), daemon=True)
    thread.start()
    thread.join(10)
    assert outcomes == [9]


@pytest.mark.parametrize("future", [concurrent.futures.Future, Future])
def test_an_exception_may_be_set_as_a_class(future):
    future = future()
    future.set_exception(KeyError)
    with pytest.raises(KeyError):
        future.result()
    assert future.exception() is KeyError


def test_a_future_that_other_code_began_is_awaited_beyond_the_end_of_its_task(busy, wait_until_in):
    executor, _ = busy
    future, outcomes = executor.submit(int), []
    assert future.set_running_or_notify_cancel()
    executor.group.clear_pending()
    for timeout in (0, 0.01):
        with pytest.raises(concurrent.futures.TimeoutError):
            future.result(timeout)
    assert not future.done()
    thread = threading.Thread(target=lambda: outcomes.append(result_of(future)))
    thread.start()
    wait_until_in(thread, result_of)
    future.set_result(7)
    thread.join(30)
    assert outcomes == [7]

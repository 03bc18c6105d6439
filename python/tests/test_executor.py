# SPDX-License-Identifier: Apache-2.0
"""The executor, beyond what CPython's own tests ask of one."""

import asyncio
import concurrent.futures
import gc
import inspect
import threading
import weakref

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


def test_futures_are_cancelled_when_the_group_around_is_stopped():
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


def test_work_goes_on_when_the_executor_is_collected():
    go = threading.Event()
    executor = Executor(1)
    first, second = executor.submit(go.wait), executor.submit(lambda: 2)
    del executor
    go.set()
    assert first.result() is True and second.result() == 2


@pytest.mark.parametrize("initializer", [None, int])
def test_it_goes_with_its_last_user(initializer):
    executor = Executor(1, initializer=initializer)
    assert executor.submit(int).result() == 0
    gone = weakref.ref(executor)
    del executor
    assert gone() is None


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


def test_it_can_be_the_default_executor_of_asyncio():
    names = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_default_executor(Executor(2, thread_name_prefix="Default"))
        await loop.run_in_executor(None, lambda: names.append(threading.current_thread().name))
        return await asyncio.to_thread(pow, 2, 5)

    assert asyncio.run(main()) == 32
    assert names[0].startswith("Default_")


def test_none_of_the_standard_pools_own_methods_is_left():
    pool = concurrent.futures.ThreadPoolExecutor
    own = {name for name, value in vars(pool).items() if inspect.isfunction(value)}
    own -= {"_adjust_thread_count", "_initializer_failed"}  # nothing calls them
    assert own and all(getattr(Executor, name) is not getattr(pool, name) for name in own)


def test_a_sweep_keeps_what_is_dropped_meanwhile():
    go, begun, futures = threading.Event(), threading.Event(), []

    def first():
        begun.set()
        while not go.is_set() and thread_utils.event_aware_sleep(0.001):
            pass
        return go.is_set()

    class Busy:
        """A group that is looked at while, at that very moment, another executor is dropped."""

        path = "busy"

        @property
        def statistics(self):
            if not futures:
                other = Executor(1)
                futures.append(other.submit(first))
                begun.wait()
                futures.append(other.submit(lambda: 2))
                del other
                gc.collect()
            return core.GroupStatistics(**{name: name == "running" for name in core.GroupStatistics._fields})

    retired = core._executor._retired
    busy = Busy()
    retired.add(busy)
    core._executor._sweep()
    retired.discard(busy)
    go.set()
    assert [f.result(30) for f in futures] == [True, 2]


FORKING = """
import multiprocessing, sys, threading
from threadgroup_core import Executor, ForkedError
go, begun = threading.Event(), threading.Event()
executor = Executor(1)
future = executor.submit(lambda: (begun.set(), go.wait()))
begun.wait()
{before}
def child(): {child}
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join(30)
print(process.exitcode)
go.set()
future.result()
"""


@pytest.mark.parametrize("before", ["", "del executor"])
def test_a_forked_process_ends_normally_while_an_executor_works(run_program, before):
    result = run_program(FORKING.format(before=before, child="pass"))
    assert (result.stdout, result.stderr) == ("0\n", "")


CHILD_USES = {
    "submit": "executor.submit(int)",
    "map": "executor.map(int, [1])",
    "result": "future.result()",
    "exception": "future.exception(10)",
}


@pytest.mark.parametrize("use", CHILD_USES)
def test_an_inherited_executor_says_so_in_a_forked_process(run_program, use):
    child = f"""
    try:
        {CHILD_USES[use]}
    except ForkedError as error:
        print("fork" in str(error))"""
    result = run_program(FORKING.format(before="", child=child))
    assert (result.stdout, result.stderr) == ("True\n0\n", "")


def test_a_block_that_a_forked_process_leaves_does_not_wait_for_the_parent(run_program):
    child = """
    with Executor(1) as new:
        assert new.submit(lambda: 5).result() == 5
    with executor:
        sys.exit(3)"""
    result = run_program(FORKING.format(before="", child=child))
    assert (result.stdout, result.stderr) == ("3\n", "")


@pytest.mark.parametrize("where", ["the same thread", "another thread"])
def test_a_shutdown_while_a_group_is_made_anew_is_final(run_program, where):
    result = run_program("""
import sys, threading
from threadgroup_core import Executor, _core
class Interrupted(Executor):
    armed = False
    @property
    def _initializer(self):  # asked for while the new group comes into use
        if self.armed:
            self.armed = False
            if sys.argv[1] == "the same thread":
                self.shutdown()
            else:
                thread = threading.Thread(target=self.shutdown)
                thread.start()
                thread.join(0.3)
        return None
    @_initializer.setter
    def _initializer(self, value):
        pass
executor = Interrupted(1)
executor.submit(int).result()
_core._interrupted()
executor.armed = True
try:
    executor.submit(int).result()
except RuntimeError as error:
    print(error)
for thread in threading.enumerate():
    if thread is not threading.main_thread() and not thread.daemon:
        thread.join()
try:
    print(executor.submit(int).result())
except RuntimeError as error:
    print(error)
""", where)
    assert result.stdout.splitlines()[-1:] == ["cannot schedule new futures after shutdown"], result.stderr
    assert result.stderr == ""


def test_executors_that_are_made_while_the_program_ends_refuse(run_program):
    result = run_program("""
import sys
from threadgroup_core import Executor, _executor
executors = [Executor(1) for _ in range(3)]
def trace(frame, event, arg):
    if not _executor._exiting or len(executors) > 100:
        return trace
    sys.settrace(None)
    executors.append(Executor(1))
    sys.settrace(trace)
    return trace
sys.settrace(trace)
_executor._at_exit()
sys.settrace(None)
refused = 0
for executor in executors:
    try:
        executor.submit(int)
    except RuntimeError as error:
        refused += str(error) == "cannot schedule new futures after interpreter shutdown"
print(len(executors) > 10, refused == len(executors))
""")
    assert (result.stdout, result.stderr) == ("True True\n", "")

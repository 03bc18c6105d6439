# SPDX-License-Identifier: Apache-2.0
"""Programs that end while tasks run, and processes that fork."""

import re

import pytest

# Starts work of every kind and leaves at once, with tasks at every stage.
LEAVING = """
import sys, threading, time
import threadgroup_core as core
from threadgroup_core import ThreadGroup, thread_utils

def python_loop():
    while not thread_utils.event_is_set():
        sum(range(100))

def nested():
    inner = ThreadGroup("inner")
    inner.post(thread_utils.event_aware_sleep, 1000)
    inner.join()

kind = int(sys.argv[1])
groups = [ThreadGroup(f"g{i}", 4, daemon=i % 2 == 1) for i in range(4)]
for group in groups:
    for work in (python_loop, nested, int):
        group.post(work)
    handles = [group.add_task(thread_utils.event_aware_sleep, 1000) for _ in range(10)]
if kind % 3 == 0:
    del groups, group
if kind % 3 == 1:
    core.Executor(2).submit(int)
if kind % 5 == 4:
    sys.exit(7)
"""


@pytest.mark.parametrize("ten", range(10))
def test_ten_programs_end_with_tasks_running(run_program, ten):
    for kind in range(10 * ten, 10 * ten + 10):
        result = run_program(LEAVING, str(kind))
        assert (result.returncode, result.stderr) == (7 if kind % 5 == 4 else 0, ""), kind


@pytest.mark.parametrize("stubborn", ["time.sleep(1000)", "lock.acquire()", "while True: pass"])
def test_a_task_that_does_not_listen_is_named_and_does_not_hold_the_exit(run_program, stubborn):
    result = run_program(f"""
import threading, time
import threadgroup_core as core
core.set_exit_grace(0.05)
lock = threading.Lock()
lock.acquire()
begun = threading.Event()
def task():
    begun.set()
    {stubborn}
group = core.ThreadGroup("stubborn")
group.add_named_task("deaf", task)
begun.wait()
""")
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(
        r"threadgroup: at exit, group 'MainThread/stubborn' still runs task 'deaf' \(for \d+\.\d s\)\n", result.stderr
    )


def test_a_task_that_returns_after_the_end_does_not_bring_the_process_down(run_program):
    # The tasks come back from C code while the interpreter goes and after it has gone.
    result = run_program("""
import ctypes, threading
import threadgroup_core as core
core.set_exit_grace(0)
usleep = ctypes.CDLL(None).usleep
begun = threading.Barrier(33)
def task(n):
    begun.wait()
    for _ in range(1000):
        usleep(n * 100)
group = core.ThreadGroup("late", 32)
for n in range(32):
    group.post(task, n)
begun.wait()
""")
    assert result.returncode == 0, result.stderr


def test_work_of_an_executor_is_completed_before_the_end(run_program):
    result = run_program("""
import threadgroup_core as core, threading
def task():
    threading.Event().wait(0.01)
    print("done")
executor = core.Executor(1)
for _ in range(3):
    executor.submit(task)
""")
    assert result.stdout == "done\n" * 3 and result.stderr == ""


def test_nothing_can_be_added_after_the_end_has_begun(run_program):
    result = run_program("""
import atexit
@atexit.register
def last():
    for call in (group.post, group.add_task):
        try:
            call(int)
        except RuntimeError as error:
            print(error)
import threadgroup_core as core
group = core.ThreadGroup("g")
""")
    assert result.stdout == "cannot add a task: the interpreter is shutting down\n" * 2


def test_threads_that_python_waits_for_use_groups_to_their_end(run_program):
    result = run_program("""
import threading
import threadgroup_core as core
def work():
    threading.main_thread().join()
    with core.ThreadGroup("g") as group:
        print(group.add_task(lambda: 5).get())
threading.Thread(target=work).start()
""")
    assert result.stdout == "5\n" and result.stderr == ""


def test_a_forked_child_has_an_empty_forest_and_says_so_when_an_old_group_is_used(run_program):
    result = run_program("""
import os, threading
import threadgroup_core as core
from threadgroup_core import thread_utils
group = core.ThreadGroup("old")
begun = threading.Event()
handle = group.add_task(lambda: (begun.set(), thread_utils.event_aware_sleep(1000))[1])
begun.wait()
child = os.fork()
if child == 0:
    try:
        assert core.snapshot() == []
        for call in (lambda: group.post(int), group.join, handle.get, lambda: group.set_event()):
            try:
                call()
                os._exit(1)
            except core.ForkedError as error:
                assert "fork" in str(error)
        with core.ThreadGroup("new") as new:
            assert new.add_task(lambda: threading.current_thread().name).get() == "new_0"
        del group, handle
        os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(2)
_, status = os.waitpid(child, 0)
print(os.WEXITSTATUS(status))
group.set_event()
print(handle.get())
""")
    assert result.stdout == "0\nFalse\n", result.stderr


def test_a_forked_child_ends_normally(run_program):
    result = run_program("""
import os, sys
import threadgroup_core as core
with core.ThreadGroup("g") as group:
    group.add_task(int).get()
child = os.fork()
if child == 0:
    with core.ThreadGroup("h") as group:
        group.post(int)
    sys.exit(3)
print(os.WEXITSTATUS(os.waitpid(child, 0)[1]))
""")
    assert result.stdout == "3\n", result.stderr

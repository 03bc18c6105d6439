# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C in the main thread ends any wait, stops the forest, and is raised."""

import concurrent.futures
import subprocess
import sys
import textwrap

import pytest

import threadgroup_core as core

# A thread sends the signal until a wait has answered it by setting the event; one that comes before the wait has begun
# is answered by trying again, and one that comes after the wait by doing nothing.
PROGRAM = """
import os, signal, sys, threading
import threadgroup_core as core
from threadgroup_core import ThreadGroup, thread_utils

group = ThreadGroup("g")
go = threading.Event()
told = []
{setup}

def handler(*_):
    if not group.event_is_set():
        raise KeyboardInterrupt
    told.append(1)

def interrupt():
    while not group.event_is_set():
        os.kill(os.getpid(), signal.SIGINT)
        go.wait(0.02)

def main():
{wait}

signal.signal(signal.SIGINT, handler)
thread = threading.Thread(target=interrupt, daemon=True)
outcome = None
while outcome is None:
    try:
        if not thread.ident:
            thread.start()
        main()
        outcome = "returned"
    except KeyboardInterrupt:
        if group.event_is_set():
            outcome = "interrupted"
print(outcome, group.event_is_set(), group.reason.kind)
go.set()
"""

SLEEPER = """
handle = group.add_task(thread_utils.event_aware_sleep, 1000)
taken = core.Mutex()
pipe = os.pipe()
locks = threading.Thread(target=taken.lock)
locks.start()
locks.join()
full = core.ThreadGroup("full", 1, max_pending=1)
"""
WAITS = {
    "join": "group.join()",
    "join with a time": "group.join(1000)",
    "wait_idle": "group.wait_idle()",
    "get": "handle.get()",
    "wait": "handle.wait(1000)",
    "sleep": "thread_utils.event_aware_sleep(1000)",
    "condition": "group.wait_for_condition(lambda: False, 1000, interval=500)",
    "a lock": "taken.lock()",
    "a lock with a time": "taken.event_aware_lock(1000)",
    "the block of a lock": "with taken: pass",
    "a semaphore": "core.Semaphore(0).acquire()",
    "the block of a semaphore": "with core.Semaphore(0): pass",
    "a limiter": "limiter = core.RateLimiter(0.001, 1)\nwhile limiter.acquire(): pass",
    "every": "for _ in core.every(500): pass",
    "a sleep in a scope": "with core.StopScope(1000): thread_utils.event_aware_sleep(1000)",
    "a handle in a scope": "with core.StopScope(1000): handle.wait()",
    "a call with a time": "core.timeout(thread_utils.event_aware_sleep, 1000, 1000)",
    "a channel": "for _ in core.Channel(1): pass",
    "receive": "core.Channel(0).receive()",
    "send": "core.Channel(0).send(1)",
    "select": "core.select(core.receive_from(core.Channel(0)))",
    "select with a descriptor": "core.select(core.receive_from(core.Channel(0)), core.readable(pipe[0]))",
    "shut_down": "group.shut_down(core.ShutdownPlan(drain=1000))",
    "shut_down of all": "core.shut_down(core.ShutdownPlan(drain=1000))",
    "room": "while True: full.add_task(go.wait)",
}


def run(setup, wait):
    source = PROGRAM.format(setup=setup, wait=textwrap.indent(wait, "    "))
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", WAITS)
def test_a_wait_is_interrupted_and_the_forest_is_stopped(name):
    result = run(SLEEPER, WAITS[name])
    assert result.stdout == "interrupted True signal\n", result.stderr


def test_the_end_of_a_block_is_interrupted():
    result = run("", "with group:\n    group.post(thread_utils.event_aware_sleep, 1000)")
    assert result.stdout == "interrupted True signal\n", result.stderr


def test_the_going_of_a_group_is_interrupted():
    # Its task does not listen, and runs: without the interrupt the program would wait for it.
    # The interrupt is set again, because nothing can be raised from a destructor.
    result = run("", """
other = ThreadGroup('other')
began = threading.Event()
other.post(lambda: (began.set(), go.wait()))
try:
    while not began.is_set(): pass
finally:
    del other
while not told: pass
raise KeyboardInterrupt""")
    assert result.stdout == "interrupted True signal\n", result.stderr


def test_the_shutdown_of_an_executor_is_interrupted():
    result = run("executor = core.Executor(1); executor.submit(thread_utils.event_aware_sleep, 1000)",
                 "executor.shutdown()")
    assert result.stdout == "interrupted True signal\n", result.stderr


# One signal, and no second: it is sent when the main thread is in the function that the program names and the call has
# begun.
ONE_SIGNAL = """
import asyncio, concurrent.futures, faulthandler, os, signal, sys, threading
from threadgroup_core import Executor, thread_utils

faulthandler.dump_traceback_later(50, exit=True)  # shows where a program hangs
executor, begun = Executor(1), threading.Event()
def call():
    begun.set()
    return thread_utils.event_aware_sleep(1000)

def interrupt():
    begun.wait()
    main = threading.main_thread().ident
    while True:
        frame = sys._current_frames()[main]
        while frame is not None and frame.f_code.co_name != {function!r}:
            frame = frame.f_back
        if frame is not None and frame.f_lineno > frame.f_code.co_firstlineno:
            break
        threading.Event().wait(0.001)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()

def wait_for_result(future):
    return future.result()
# A signal that comes just before a system call does not end it; so what is not ours does not wait for long.
def tick():
    asyncio.get_running_loop().call_later(0.02, tick)
def wait_as_others_do():
    future = executor.submit(call)
    while not concurrent.futures.wait([future], 0.02).done:
        pass
async def in_executor():
    tick()
    await asyncio.get_running_loop().run_in_executor(executor, call)
async def in_default():
    tick()
    asyncio.get_running_loop().set_default_executor(executor)
    await asyncio.to_thread(call)
async def in_a_task_beside():
    beside = asyncio.ensure_future(in_executor())
    await asyncio.sleep(1000)

{program}
print("went on")
"""
PROGRAMS = {
    "result": ("wait_for_result", "wait_for_result(executor.submit(call))"),
    "run_in_executor": ("select", "asyncio.run(in_executor())"),
    "the default executor": ("select", "asyncio.run(in_default())"),
    "a task of asyncio beside": ("select", "asyncio.run(in_a_task_beside())"),
    "a block": ("select", "with executor: asyncio.run(asyncio.wait_for(in_executor(), 1000))"),
    "a block with a wait that is not ours": ("wait_as_others_do", "with executor: wait_as_others_do()"),
    "a wait that is not ours": ("wait_as_others_do", "wait_as_others_do()"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_signal_ends_the_program(name):
    function, program = PROGRAMS[name]
    source = ONE_SIGNAL.format(function=function, program=program)
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
    assert "KeyboardInterrupt" in result.stderr and "went on" not in result.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_signal_ends_a_program_that_catches_it(name):
    function, program = PROGRAMS[name]
    program = "try:\n" + textwrap.indent(program, "    ") + "\nexcept KeyboardInterrupt: print('caught')"
    if name == "a wait that is not ours":
        program += "\nexecutor.group.set_event()"  # the library has heard of no signal
    source = ONE_SIGNAL.format(function=function, program=program)
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("caught\nwent on\n", "")


def test_an_executor_works_after_a_signal():
    result = subprocess.run([sys.executable, "-c", ONE_SIGNAL.format(function="wait_for_result", program="""
try:
    wait_for_result(executor.submit(call))
except KeyboardInterrupt:
    print(executor.group.reason.kind)
print(executor.submit(pow, 2, 5).result(), list(executor.map(abs, range(-2, 2))), executor.group.event_is_set())
executor.shutdown()
""")], capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("signal\n32 [2, 1, 0, 1] False\nwent on\n", "")


def test_an_executor_of_a_stopped_task_says_why_it_runs_nothing():
    group = core.ThreadGroup("outer")

    def task():
        executor = core.Executor(1)
        group.set_event("enough")
        return executor.submit(int)

    future = group.add_task(task).get(30)
    with pytest.raises(concurrent.futures.CancelledError, match="enough"):
        future.result()

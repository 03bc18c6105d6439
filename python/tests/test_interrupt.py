# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C in the main thread ends any wait, tells the forest to stop, and is raised."""

import subprocess
import sys
import textwrap

import pytest

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

SLEEPER = 'handle = group.add_task(thread_utils.event_aware_sleep, 1000)'
WAITS = {
    "join": "group.join()",
    "join with a time": "group.join(1000)",
    "wait_idle": "group.wait_idle()",
    "get": "handle.get()",
    "wait": "handle.wait(1000)",
    "sleep": "thread_utils.event_aware_sleep(1000)",
    "condition": "group.wait_for_condition(lambda: False, 1000, interval=500)",
}


def run(setup, wait):
    source = PROGRAM.format(setup=setup, wait=textwrap.indent(wait, "    "))
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", WAITS)
def test_a_wait_is_interrupted_and_the_forest_is_told(name):
    result = run(SLEEPER, WAITS[name])
    assert result.stdout == "interrupted True signal\n", result.stderr


def test_the_end_of_a_block_is_interrupted():
    result = run("", "with group:\n    group.post(thread_utils.event_aware_sleep, 1000)")
    assert result.stdout == "interrupted True signal\n", result.stderr


def test_the_going_of_a_group_is_interrupted():
    # Its task does not listen: without the interrupt the program would wait for it.
    # The interpreter is told again, for nothing can be raised from a destructor.
    result = run("", "other = ThreadGroup('other')\nother.post(go.wait)\ndel other\nwhile not told: pass\n"
                     "raise KeyboardInterrupt")
    assert result.stdout == "interrupted True signal\n", result.stderr


def test_the_wait_for_a_future_is_not_ours_but_its_executor_is():
    result = run("executor = core.Executor(1); executor.submit(thread_utils.event_aware_sleep, 1000)",
                 "executor.shutdown()")
    assert result.stdout == "interrupted True signal\n", result.stderr

# SPDX-License-Identifier: Apache-2.0
"""What the tests share: programs in processes of their own, and a forest that is empty between tests."""

import contextlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import threadgroup_core
from threadgroup_core import blocking


# A shell that runs the tests in the background has them ignore Ctrl-C, and so would the programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def run_program():
    """Runs a program in a new interpreter; returns the completed process, whose output is text."""

    def run(source, *arguments, timeout=60, **options):
        return subprocess.run([sys.executable, "-c", textwrap.dedent(source), *arguments], capture_output=True, text=True,
                              timeout=timeout, **options)

    return run


@pytest.fixture
def wait_until_in():
    """Waits until a thread is in the call on the only line of a function, which gives the interpreter away nowhere else."""

    def wait(thread, function):
        while True:
            frame = sys._current_frames().get(thread.ident)
            if frame is not None and frame.f_code is function.__code__ and frame.f_lineno > frame.f_code.co_firstlineno:
                return
            time.sleep(0.001)

    return wait


@pytest.fixture
def on_end(tmp_path):
    with contextlib.ExitStack() as stack:
        stack.folder = str(tmp_path)
        yield stack


@pytest.fixture
def installed():
    with blocking.install():
        yield


def running_groups():
    return [n.name for n in threadgroup_core.snapshot() if n.kind in ("group", "daemon") and n.counts.running]


@pytest.fixture(autouse=True)
def no_group_is_left(request):
    """A group that goes with its own last task runs until that task has ended: such ones end by themselves, and soon."""
    yield
    deadline = time.monotonic() + 10
    while running_groups() and time.monotonic() < deadline:
        time.sleep(0.001)
    left = running_groups()
    assert not left, f"{request.node.name} left running: {left}"

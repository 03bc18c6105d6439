# SPDX-License-Identifier: Apache-2.0
"""Shutting groups down in stages, and on real signals."""

import signal
import subprocess
import sys
import textwrap
import threading

import pytest

import threadgroup_core as core
from threadgroup_core import ReasonKind, ShutdownPlan, TaskStatus, ThreadGroup, thread_utils


def test_a_group_drains_and_takes_no_task_from_outside():
    group, go, begun = ThreadGroup("g", 1), threading.Event(), threading.Event()
    running = group.add_task(lambda: (begun.set(), go.wait())[1])
    pending = group.add_task(lambda: 7)
    begun.wait()
    reports = []
    thread = threading.Thread(target=lambda: reports.append(group.shut_down(ShutdownPlan(drain=1000))))
    thread.start()
    while not group.is_draining():
        pass
    late = group.add_task(int)
    assert late.status is TaskStatus.SKIPPED and late.reason.kind is ReasonKind.DRAINING
    go.set()
    thread.join()
    (report,) = reports
    assert report and report.drained and not report.ran_over and report.slowest_stop is None
    assert running.get() and pending.get() == 7
    assert report.counts.succeeded == 2 and "2 succeeded" in str(report)
    assert report.drain_took < 100 and isinstance(report.stop_took, float)


def test_without_a_drain_the_tasks_are_stopped_and_the_slowest_is_named():
    group, begun = ThreadGroup("g"), threading.Event()
    handle = group.add_named_task("sleeper", lambda: (begun.set(), thread_utils.event_aware_sleep(1000))[1])
    begun.wait()
    report = group.shut_down()
    assert report and not report.drained and handle.get() is False
    assert report.slowest_stop.slowest_task == group.stop_latency.slowest_task == "sleeper"
    assert group.join().stop.slowest_task == "sleeper"


def test_tasks_that_run_over_are_named():
    group, begun, go = ThreadGroup("g"), threading.Event(), threading.Event()
    group.add_named_task("deaf", lambda: (begun.set(), go.wait()))
    begun.wait()
    report = group.shut_down(ShutdownPlan(stop=0.01))
    assert not report and [left.task.name for left in report.ran_over] == ["deaf"]
    assert report.ran_over[0].path == group.path and "deaf" in str(report)
    go.set()
    group.join()


def test_the_whole_forest_is_shut_down():
    a, b = ThreadGroup("a"), ThreadGroup("b")
    handles = [g.add_task(thread_utils.event_aware_sleep, 1000) for g in (a, b)]
    assert core.shut_down()
    assert all(h.status is TaskStatus.SKIPPED or h.get() is False for h in handles)
    task = ThreadGroup("c")
    with pytest.raises(core.DeadlockError):
        task.add_task(core.shut_down).get()


def test_a_task_sees_that_its_group_drains():
    group, begun = ThreadGroup("g"), threading.Event()

    def accepts():
        begun.set()
        while not thread_utils.is_draining():
            assert thread_utils.event_aware_sleep(0.001)
        return "done"

    handle = group.add_task(accepts)
    begun.wait()
    assert group.shut_down(ShutdownPlan(drain=1000)).drained
    assert handle.get() == "done" and not thread_utils.is_draining()


def test_misuse_raises():
    with pytest.raises(TypeError):
        ThreadGroup("g").shut_down(3)
    for wrong in ((), (1, 2, 3, 4, 5), (signal.SIGKILL,)):
        with pytest.raises((ValueError, RuntimeError)):
            core.SignalShutdown(ShutdownPlan(), wrong)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with core.SignalShutdown():
        with pytest.raises(RuntimeError):
            core.SignalShutdown()
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


# --- Real signals, in a process of their own ---

PROGRAM = """
import asyncio, os, signal, sys, threading, time
import threadgroup_core as core
from threadgroup_core import ShutdownPlan, SignalShutdown, ThreadGroup, thread_utils

begun = threading.Event()
def say(*words):
    print(*words, flush=True)
def drains():
    begun.set()
    while not thread_utils.is_draining():
        thread_utils.event_aware_sleep(0.001)
    return "drained"
def stops():
    begun.set()
    return thread_utils.event_aware_sleep(1000)
def ready():
    begun.wait()
    say("ready")

{program}
say("end")
"""


class Program:
    def __init__(self, program):
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM.format(program=textwrap.dedent(program))],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def line(self):
        return self.process.stdout.readline().strip()

    def send(self, number):
        self.process.send_signal(number)

    def rest(self):
        out, err = self.process.communicate(timeout=50)
        return self.process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("wait", ["handle.wait()", "group.join()", "on_signal.wait()"])
def test_a_signal_drains_the_groups_and_the_main_thread_goes_on(number, wait):
    program = Program(f"""
        with SignalShutdown(ShutdownPlan(drain=1000)) as on_signal:
            group = ThreadGroup("g")
            handle = group.add_task(drains)
            ready()
            {wait}
        say(handle.get(), on_signal.report().drained, on_signal.signal(), group.reason is None or group.reason.kind)
    """)
    assert program.line() == "ready"
    program.send(number)
    code, out, err = program.rest()
    assert (code, err) == (0, ""), out + err
    assert out.startswith(f"drained True {int(number)} ") and out.endswith("end\n")


def test_the_second_signal_ends_the_drain_and_the_third_the_process():
    program = Program("""
        go = threading.Event()
        def deaf():
            begun.set()
            while not thread_utils.is_draining(): time.sleep(0.001)
            say("draining")
            while not thread_utils.event_is_set(): time.sleep(0.001)
            say("stopped")
            go.wait()
        on_signal = SignalShutdown(ShutdownPlan(drain=1000, stop=1000))
        group = ThreadGroup("g")
        group.post(deaf)
        ready()
        group.join()
    """)
    assert program.line() == "ready"
    program.send(signal.SIGTERM)
    assert program.line() == "draining"
    program.send(signal.SIGTERM)
    assert program.line() == "stopped"
    program.send(signal.SIGTERM)
    code, out, _ = program.rest()
    assert (code, out) == (-signal.SIGTERM, "")


def test_it_works_while_all_threads_are_blocked():
    program = Program("""
        with SignalShutdown(ShutdownPlan(stop=0.01)) as on_signal:
            group = ThreadGroup("g", 1, daemon=True)
            lock = threading.Lock()
            lock.acquire()
            group.add_named_task("deaf", lambda: (begun.set(), lock.acquire()))
            ready()
            time.sleep(0.2)
            report = on_signal.wait()
            say([left.task.name for left in report.ran_over], bool(report))
            lock.release()
            group.wait_idle()
    """)
    assert program.line() == "ready"
    program.send(signal.SIGTERM)
    code, out, err = program.rest()
    assert (code, out) == (0, "['deaf'] False\nend\n"), err


def test_a_handler_of_the_program_is_called_too():
    program = Program("""
        def handler(number, frame):
            say("handler", number, threading.current_thread() is threading.main_thread())
        signal.signal(signal.SIGINT, handler)
        with SignalShutdown(ShutdownPlan(drain=1000)) as on_signal:
            group = ThreadGroup("g")
            handle = group.add_task(drains)
            ready()
            on_signal.wait()
            say(handle.get())
        say(signal.getsignal(signal.SIGINT) is handler)
        os.kill(os.getpid(), signal.SIGINT)
    """)
    assert program.line() == "ready"
    program.send(signal.SIGINT)
    code, out, err = program.rest()
    assert sorted(out.splitlines()) == sorted(
        ["handler 2 True", "drained", "True", "handler 2 True", "end"]), (out, err)


def test_ctrl_c_raises_again_afterwards():
    program = Program("""
        with SignalShutdown():
            pass
        try:
            group = ThreadGroup("g")
            handle = group.add_task(stops)
            ready()
            handle.wait()
            say("not interrupted")
        except KeyboardInterrupt:
            say("interrupted")
    """)
    assert program.line() == "ready"
    program.send(signal.SIGINT)
    assert program.rest()[:2] == (0, "interrupted\nend\n")


def test_asyncio_leaves_it_alone():
    program = Program("""
        async def main():
            group = ThreadGroup("g")
            handle = group.add_task(drains)
            ready()
            return await handle
        with SignalShutdown(ShutdownPlan(drain=1000)) as on_signal:
            say(asyncio.run(main()))
    """)
    assert program.line() == "ready"
    program.send(signal.SIGINT)
    code, out, err = program.rest()
    assert (code, out) == (0, "drained\nend\n"), err

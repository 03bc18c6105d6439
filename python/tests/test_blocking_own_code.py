# SPDX-License-Identifier: Apache-2.0
"""The package's own code with the replacements in place: a stop does not end its own waits."""

import concurrent.futures
import threading
import time

import threadmanager
import varvault
from support import Ring
from threadgroup_core import Executor, StopScope, ThreadGroup, blocking, thread_utils


def test_a_stop_loses_no_callback_of_a_handle(installed):
    called = threading.Event()
    with ThreadGroup("tasks", 2) as group:
        begun = threading.Event()
        handle = group.add_task(lambda: (begun.set(), thread_utils.event_aware_sleep(1000)))
        begun.wait()
        handle.add_done_callback(lambda handle: called.set())
        with handle._condition:
            group.set_event()
            time.sleep(0.1)  # longer than a stopped caller waits for a lock
        assert called.wait(20)
        assert concurrent.futures.wait([handle], timeout=20).done == {handle}


def test_the_locks_of_the_packages_are_those_of_python(installed, tmp_path):
    resource = varvault.JsonResource(tmp_path / "vault.json", "w")
    vault = varvault.create(keyring=Ring, resource=resource)
    with ThreadGroup("tasks") as group, Executor(1) as executor:
        locks = [group.add_task(int)._condition._lock, executor.submit(int)._condition._lock, executor._renewing,
                 vault._lock, vault._io_lock, resource.lock, threadmanager.ThreadGroup()._lock]
    assert not any(isinstance(lock, (blocking.Lock, blocking.RLock)) for lock in locks)


def in_a_stopped_scope_of_a_task_with_the_only_permit(call):
    """Calls `call(executor)` there, where the thread of the executor cannot begin its work."""

    def task():
        with Executor(1) as executor:
            future = executor.submit(int)
            with StopScope() as scope:
                scope.set_event()
                result = call(executor)
            assert not future.running()
            return result, future

    with ThreadGroup("tree", 1, max_concurrent_in_subtree=1) as group:
        return group.add_task(task).get(20)


def test_a_stopped_caller_asks_an_executor_for_its_threads(installed, monkeypatch):
    monkeypatch.setattr("threadgroup_core._executor._LONGEST_START", 0.05)
    _, future = in_a_stopped_scope_of_a_task_with_the_only_permit(lambda executor: executor._threads)
    assert future.result() == 0


def test_a_shutdown_cancels_what_cannot_begin_because_of_its_caller(installed, monkeypatch):
    monkeypatch.setattr("threadgroup_core._executor._LONGEST_START", 0.05)
    _, future = in_a_stopped_scope_of_a_task_with_the_only_permit(
        lambda executor: executor.shutdown(wait=False, cancel_futures=True))
    assert future.cancelled()

# SPDX-License-Identifier: Apache-2.0
"""The group of the thread management library: tasks have ids, and joins return the results by id."""

from __future__ import annotations

from typing import Any, Callable, Dict, Hashable, List, Optional

import threadgroup_core
from threadgroup_core import RunningTask, TaskHandle, TaskSkipped, TaskStatus, WaitStatus, _plain
from threadgroup_core._types import group_failures

from .threadutils import GroupEvent


class JoinResult(Dict[Hashable, Any]):
    """The results of the tasks that succeeded, by task id; and whether that is all of them.

        results = thread_group.join(10)
        if results.timed_out:
            print(results.pending, "have not begun,", results.running, "still run")
    """

    def __init__(self, results: Dict[Hashable, Any], joined: threadgroup_core.JoinResult,
                 pending: List[Hashable], exceptions: Dict[Hashable, BaseException]) -> None:
        super().__init__(results)
        self.timed_out: bool = joined.timed_out
        self.event_set: bool = joined.event_set
        self.pending: List[Hashable] = pending
        self.running: List[RunningTask] = joined.running
        self.exceptions: Dict[Hashable, BaseException] = exceptions
        self.text: str = joined.text

    @property
    def done(self) -> bool:
        """Everything is done: nothing is pending, nothing runs."""
        return not self.timed_out and not self.event_set

    def __repr__(self) -> str:
        return f"JoinResult({dict(self)!r}, {self.text})"


class ThreadGroup:
    """A named group of tasks: it runs at most so many at a time, and its event stops them all.

    A group made inside a task is a child of that task's group, and is stopped with it.
    """

    def __init__(self, group_name: str = "", max_concurrent_threads: int = 32, daemon: bool = False) -> None:
        self._group = threadgroup_core.ThreadGroup(group_name, max_concurrent_threads, daemon=daemon)
        self._handles: Dict[Hashable, TaskHandle[Any]] = {}
        self._told: set[Hashable] = set()
        self._lock = _plain.Lock()  # guards the ids: tasks may add tasks
        self._ids: set[Hashable] = set()

    @property
    def core(self) -> threadgroup_core.ThreadGroup:
        """The group below this face."""
        return self._group

    @property
    def group_name(self) -> str:
        return self._group.name

    def add_task(self, target: Callable[..., Any], args: Any = None, kwargs: Optional[Dict[str, Any]] = None,
                 task_id: Optional[Hashable] = None) -> Hashable:
        """Add target(*args, **kwargs), and return the task's id: the one given, or the number of the task as text, from "1".

        ``args`` is a list or a tuple of arguments. Anything else is the one argument: ``args=(user)`` passes ``user``, also when
        that is a string.
        """
        if args is None:
            args = ()
        elif not isinstance(args, (list, tuple)):
            args = (args,)
        with self._lock:
            if task_id is None:
                number = len(self._ids) + 1
                while str(number) in self._ids:
                    number += 1
                task_id = str(number)
            elif task_id in self._ids:
                raise ValueError(f"group '{self.group_name}' has a task with the id {task_id!r} already")
            self._ids.add(task_id)
        name = f"{getattr(target, '__name__', 'task')} ({task_id})"
        self._handles[task_id] = self._group.add_named_task(name, target, *args, **(kwargs or {}))
        return task_id

    def join(self, timeout: Optional[float] = None, ignore_exception: bool = False) -> JoinResult:
        """Wait until nothing is pending or running, and return the results by task id.

        Then the failures that no join has raised yet are raised, one as itself, several as an exception group; unless
        they are to be ignored, and found in ``exceptions``. After the timeout the result says what is left, and nothing
        is changed: a later join works.
        """
        joined = self._group.wait_idle(timeout)
        pending = [i for i, h in list(self._handles.items()) if h.status is TaskStatus.PENDING]
        exceptions = self.exceptions
        result = JoinResult(self.return_values, joined, pending, exceptions)
        if not result.done:
            return result
        fresh = [threadgroup_core.Failure(self._handles[i].name, e) for i, e in exceptions.items() if i not in self._told]
        self._told.update(exceptions)
        if fresh and not ignore_exception:
            raise group_failures(self._group.path, fresh)
        return result

    def wait_for_condition(self, expression: Callable[[], object], timeout: Optional[float] = None,
                           sleep_interval: float = 0.1) -> WaitStatus:
        """Wait until the expression is true, and then stop the tasks. The answer is true exactly in that case."""
        return self._group.wait_for_condition(expression, timeout, sleep_interval)

    def set_event_for_child_tasks(self, message: str = "") -> bool:
        """Stop this group's tasks and every group below it. True if this call set the event."""
        return self._group.set_event_for_child_tasks(message)

    def get_event(self) -> GroupEvent:
        """The event of this group, for the ``event=`` of ``threadutils``."""
        return GroupEvent(self._group)

    def clear_pending_tasks_in_queue(self) -> int:
        """Drop the tasks that have not begun, and say how many; they end as skipped. The running ones are not told."""
        return self._group.clear_pending()

    @property
    def return_values(self) -> Dict[Hashable, Any]:
        """What the tasks returned that have succeeded so far, by task id."""
        return {i: h.get() for i, h in list(self._handles.items()) if h.status is TaskStatus.SUCCEEDED}

    @property
    def exceptions(self) -> Dict[Hashable, BaseException]:
        """What the tasks raised that have failed so far, by task id."""
        return {i: e for i, h in list(self._handles.items())
                if h.status is TaskStatus.FAILED and (e := h.exception()) is not None}

    def event_is_set(self) -> bool:
        return self._group.event_is_set()

    def __enter__(self) -> "ThreadGroup":
        self._group.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._group.__exit__(*exc_info)

    def __repr__(self) -> str:
        return f"<threadmanager.ThreadGroup over {self._group!r}>"


__all__ = ["JoinResult", "TaskSkipped", "ThreadGroup"]

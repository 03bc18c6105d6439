# SPDX-License-Identifier: Apache-2.0
"""The plain values that groups hand out, and the errors that they raise."""

from __future__ import annotations

import enum
import sys
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, List, NamedTuple, Optional, Sequence, TypeVar, Union

if sys.version_info < (3, 11):  # pragma: no cover - for older interpreters
    _E = TypeVar("_E", bound=BaseException, covariant=True)

    class BaseExceptionGroup(BaseException, Generic[_E]):
        """Several exceptions at once, where Python has no type of its own for that."""

        def __init__(self, message: str, exceptions: Sequence[_E]) -> None:
            super().__init__(message, exceptions)
            self.message = message
            self.exceptions = tuple(exceptions)

        def __str__(self) -> str:
            return f"{self.message} ({len(self.exceptions)} sub-exceptions)"

    class ExceptionGroup(BaseExceptionGroup[_E], Exception):
        """The same, of exceptions that are all of type ``Exception``."""
else:
    from builtins import BaseExceptionGroup as BaseExceptionGroup
    from builtins import ExceptionGroup as ExceptionGroup


class TaskStatus(str, enum.Enum):
    """How far a task is. Each task ends as exactly one of the last four."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    SKIPPED = "skipped"

    __str__ = str.__str__


class WaitStatus(str, enum.Enum):
    """How ``wait_for_condition`` ended. True exactly for ``CONDITION_MET``."""

    CONDITION_MET = "condition_met"
    EVENT_SET = "event_set"
    TIMED_OUT = "timed_out"
    GROUP_IDLE = "group_idle"

    def __bool__(self) -> bool:
        return self is WaitStatus.CONDITION_MET

    __str__ = str.__str__


class WaitOutcome(str, enum.Enum):
    """How a wait for a primitive ended. True exactly for ``READY``."""

    READY = "ready"
    """It got what it waited for."""
    EVENT_SET = "event_set"
    """The caller was stopped first."""
    TIMED_OUT = "timed_out"
    CLOSED = "closed"
    """It can never get it: the other side was closed."""

    def __bool__(self) -> bool:
        return self is WaitOutcome.READY

    __str__ = str.__str__


class ReasonKind(str, enum.Enum):
    """What set an event."""

    REQUESTED = "requested"
    CONDITION_MET = "condition_met"
    FAILURE = "failure"
    DEADLINE = "deadline"
    DESTROYED = "destroyed"
    SIGNAL = "signal"
    DRAINING = "draining"

    __str__ = str.__str__


@dataclass(frozen=True)
class Reason:
    """Why a group was stopped, and where that began."""

    kind: ReasonKind
    message: str
    origin: int
    origin_path: str
    task: Optional[str]
    exception: Optional[BaseException]
    text: str
    file: str = ""
    """The Python source file of the call that set the event; empty if it was no call."""
    line: int = 0

    def __str__(self) -> str:
        return self.text


class RunningTask(NamedTuple):
    """A task that runs now, and for how many seconds it has."""

    name: str
    running_for: float
    waits_for: str = ""
    """What it waits for in the library; empty while it runs, and in a call that the library does not know."""
    waiting_for: float = 0.0
    """For how many seconds it has waited there."""
    note: str = ""
    """What it last gave to ``note``."""


class StopLatency(NamedTuple):
    """How fast a group has stopped."""

    time: float
    """Seconds from the stop to the end of the last task that ran then; so far, if some run on."""
    slowest_task: str


class ShutdownPlan(NamedTuple):
    """How long each stage of a shutdown may take, for the whole subtree: seconds or ``timedelta``; None is no limit."""

    drain: "Union[float, timedelta, None]" = 0
    """How long the groups may finish what they have. They take no task from outside meanwhile. 0: they are stopped at once."""
    stop: "Union[float, timedelta, None]" = 5
    """How long the tasks have to end once they are stopped."""


class TaskLeft(NamedTuple):
    """A task that ran on when the time of a shutdown was up."""

    path: str
    """Of its group."""
    task: RunningTask


class Failure(NamedTuple):
    """A task that failed, and what it raised."""

    task: str
    exception: BaseException


class GroupStatistics(NamedTuple):
    """Each task that was ever added is in exactly one of the first six."""

    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    stopped: int = 0
    skipped: int = 0
    threads: int = 0
    threads_wanted: int = 0
    thread_error: int = 0
    waiting_adders: int = 0
    """Calls of ``add_task`` and ``post`` that wait for room (``max_pending``)."""

    @property
    def done(self) -> int:
        return self.succeeded + self.failed + self.stopped + self.skipped

    @property
    def total(self) -> int:
        return self.pending + self.running + self.done


class NodeSnapshot(NamedTuple):
    """One group, or the root of one thread, in a picture of the forest."""

    id: int
    parent: Optional[int]
    depth: int
    kind: str
    name: str
    event_is_set: bool
    reason: Optional[Reason]
    counts: GroupStatistics


@dataclass
class JoinResult:
    """What a join says. It is true if everything is done."""

    timed_out: bool = False
    event_set: bool = False
    pending: int = 0
    running: List[RunningTask] = field(default_factory=list)
    failures: List[Failure] = field(default_factory=list)
    text: str = "done"
    counts: GroupStatistics = GroupStatistics()
    reason: Optional[Reason] = None
    stop: Optional[StopLatency] = None
    """How fast it was then, if tasks were running."""

    def __bool__(self) -> bool:
        return not self.timed_out and not self.event_set

    @property
    def all_succeeded(self) -> bool:
        """Everything is done, and each task returned: none failed, was stopped or was skipped."""
        return bool(self) and self.counts.succeeded == self.counts.total

    def __str__(self) -> str:
        return self.text


@dataclass
class ShutdownReport:
    """How a shutdown went. It is true if no task is left."""

    drained: bool
    """All tasks had ended before the groups were stopped."""
    drain_took: float
    stop_took: float
    counts: GroupStatistics
    """How the tasks have ended since the call, and how many are left."""
    slowest_stop: Optional[StopLatency]
    ran_over: List[TaskLeft]
    """The tasks that still run, the oldest first."""
    text: str

    def __bool__(self) -> bool:
        return not self.ran_over and self.counts.pending == self.counts.running == 0

    def __str__(self) -> str:
        return self.text


class NoGroupError(RuntimeError):
    """The call needs a group, and this thread runs no task of one."""


class ForkedError(RuntimeError):
    """A group, or the handle of an unfinished task, was used in a process forked from the one that made it."""


class DeadlockError(RuntimeError):
    """The wait would have been for the caller itself."""


class Stopped(RuntimeError):
    """The work ends here because an event was set.

    A task that leaves by it while its group's event is set ends as ``stopped``, which is no failure.
    """


class TaskSkipped(Stopped, CancelledError):
    """The result was asked for of a task that never ran: it was cancelled, or its group was stopped first."""


class WaitInterrupted(Stopped):
    """The caller's own group was stopped before the awaited result was there."""


class ChannelClosed(EOFError):
    """The channel is closed and empty: there will be no further item."""


class TaskFailures(ExceptionGroup[Exception]):
    """Several tasks failed: an exception group that also knows the tasks' names."""

    failures: List[Failure] = []

    def derive(self, excs: Any) -> "ExceptionGroup[Any]":
        return ExceptionGroup(self.message, excs)


def group_failures(path: str, failures: List[Failure]) -> BaseException:
    """One exception for all of them: itself if it is the only one."""
    if len(failures) == 1:
        return failures[0].exception
    names = ", ".join(f"'{f.task}'" for f in failures[:10])
    more = f" and {len(failures) - 10} more" if len(failures) > 10 else ""
    message = f"{len(failures)} tasks failed in group '{path}': {names}{more}"
    exceptions = [f.exception for f in failures if isinstance(f.exception, Exception)]
    if len(exceptions) < len(failures):
        return BaseExceptionGroup(message, [f.exception for f in failures])
    error = TaskFailures(message, exceptions)
    error.failures = failures
    return error

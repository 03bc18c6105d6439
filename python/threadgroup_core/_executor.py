# SPDX-License-Identifier: Apache-2.0
"""A ``concurrent.futures.Executor`` over a group.

Like the executor of the standard library it completes what was submitted before the interpreter goes; unlike it, its
tasks are stopped together with the group it was made in.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.thread import BrokenThreadPool
from types import TracebackType
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple, Type, TypeVar

from . import _core, _plain
from ._future import Future
from ._threads import WorkerThread
from ._types import ReasonKind

_T = TypeVar("_T")

_numbers = itertools.count()
_LONGEST_START = 1.0  # seconds in which a thread that is on its way begins, unless something keeps it from running
_exiting = False
_forks = 0  # how many forks this process is away from the first one
# Weak references: a `WeakSet` cannot be looked at while other threads make executors. Changed by single steps only.
_live: "Set[weakref.ref[Executor]]" = set()
# Groups with work left that have no executor any more. Each is looked at when the next executor is made or ends.
# Finalizers add to it at any moment, so it is changed by single steps only.
_retired: Set[_core.ThreadGroup] = set()


def _sweep() -> None:
    here = _core.current_path() + "/"
    for group in list(_retired):
        counts = group.statistics
        # A group cannot be destroyed by a task below it.
        if not counts.pending and not counts.running and not here.startswith(group.path + "/"):
            _retired.discard(group)


def _retire(groups: List[_core.ThreadGroup], forks: int) -> None:
    if forks == _forks:
        _retired.update(groups)
        groups.clear()
        _sweep()


def _at_exit() -> None:
    global _exiting
    _exiting = True
    executors = [executor for executor in (reference() for reference in list(_live)) if executor is not None]
    for executor in executors:
        with executor._renewing:
            executor._submit = _refuse_at_exit
    # Ctrl-C has ended the program, and not only a command at a prompt.
    last = getattr(sys, "last_type", None)
    if isinstance(last, type) and issubclass(last, KeyboardInterrupt) and not hasattr(sys, "ps1"):
        _core._interrupted()
    for executor in executors:
        executor._wait_idle()
    for group in list(_retired):
        group.wait_idle()


def _after_fork_in_child() -> None:
    # The threads, and with them all work, stayed in the parent.
    global _forks, _live, _retired
    _forks += 1
    _live = set()
    _retired = set()


def _refuse_at_exit(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
    raise RuntimeError("cannot schedule new futures after interpreter shutdown")


def _refuse_after_shutdown(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
    raise RuntimeError("cannot schedule new futures after shutdown")


# Where Python has it, before it waits for its own threads: those may wait for our futures.
getattr(threading, "_register_atexit", __import__("atexit").register)(_at_exit)
os.register_at_fork(after_in_child=_after_fork_in_child)


# asyncio takes nothing but a ThreadPoolExecutor as its default. None of that class's own methods is left.
class Executor(ThreadPoolExecutor):
    """Runs callables on the threads of a group, for code that takes an executor.

        with Executor(max_workers=8) as executor:
            lengths = list(executor.map(fetch, urls))
            await asyncio.get_running_loop().run_in_executor(executor, fetch, url)

    A callable that is dropped because the event was set has its future cancelled. A Ctrl-C stops what was submitted; an
    executor that was made outside a task can be used again afterwards.
    """

    _submit: "Callable[..., Future[Any]]"

    def __init__(
        self,
        max_workers: Optional[int] = None,
        thread_name_prefix: str = "",
        initializer: Optional[Callable[..., Any]] = None,
        initargs: Tuple[Any, ...] = (),
    ) -> None:
        if max_workers is None:
            max_workers = min(32, (os.cpu_count() or 1) + 4)
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._max_workers = max_workers
        self._name = thread_name_prefix or f"{type(self).__name__}-{next(_numbers)}"
        self._thread_name_prefix = self._name
        self._initializer = initializer
        self._initargs = initargs
        self._initialized = threading.local()
        self._broken: Any = False  # or a text that says why
        self._shutdown = False
        # Reentrant: a destructor may shut the executor down at any moment.
        self._renewing = _plain.RLock()
        self._renewable = not _in_task()
        self._groups: List[_core.ThreadGroup] = []  # the last one is in use
        self._forks = _forks
        self._use_new_group()
        weakref.finalize(self, _retire, self._groups, _forks).atexit = False
        _live.add(weakref.ref(self, _live.discard))
        if _exiting:
            self._submit = _refuse_at_exit

    def _use_new_group(self) -> None:
        group = _core.ThreadGroup(self._name, self._max_workers)
        group._set_thread_names(self._name)
        self._groups.append(group)
        if self._initializer is None:
            self._submit = group._submit
        else:  # without a strong reference to itself: the executor must go with its last user
            self._submit = functools.partial(Executor._submit_initialized, weakref.proxy(self))
        # Asked last: a destructor may have shut it down meanwhile.
        if _exiting:
            self._submit = _refuse_at_exit
        if self._shutdown:
            self._submit = _refuse_after_shutdown

    @property
    def group(self) -> _core.ThreadGroup:
        """The group that does the work; after a Ctrl-C another one."""
        return self._groups[-1]

    @property
    def _threads(self) -> "Set[_Worker]":  # type: ignore[override]
        # Programs count and join what the standard library's executor has under this name. There a thread is listed when
        # the call that needs it has been submitted; here it may be on its way.
        group, deadline = self._groups[-1], time.monotonic() + _LONGEST_START
        while True:
            counts = group.statistics
            workers = {
                _Worker(thread.name, thread.ident, group)
                for thread in threading.enumerate()
                if isinstance(thread, WorkerThread) and thread.name.rpartition("_")[0] == self._name
            }
            all_run = not counts.pending or counts.running >= self._max_workers
            if (all_run and len(workers) >= counts.running) or time.monotonic() > deadline:
                return workers
            _plain.sleep(0.001)

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> "Future[_T]":
        """Schedule fn(*args, **kwargs), and return its future."""
        future = self._submit(fn, *args, **kwargs)
        return self._submit_again(future, fn, args, kwargs) if future.cancelled() else future

    def _submit_again(self, future: "Future[Any]", fn: Any, args: Any, kwargs: Any) -> "Future[Any]":
        # It was dropped at once: the event is set.
        with self._renewing:
            group = self._groups[-1]
            if group.event_is_set():
                reason = group.reason
                if not self._renewable or _in_task() or reason is None or reason.kind is not ReasonKind.SIGNAL:
                    return future
                self._use_new_group()
        return self._submit(fn, *args, **kwargs)

    def _submit_initialized(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        if self._broken:
            raise BrokenThreadPool(self._broken)
        future: Future[Any] = self._groups[-1]._submit(self._call_initialized, fn, args, kwargs)
        return future

    def _call_initialized(self, fn: Callable[..., Any], args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        if self._broken:
            raise BrokenThreadPool(self._broken)
        if not getattr(self._initialized, "done", False):
            assert self._initializer is not None
            try:
                self._initializer(*self._initargs)
            except BaseException as error:
                self._broken = "A thread initializer failed, the thread pool is not usable anymore"
                logging.getLogger("concurrent.futures").critical("Exception in initializer:", exc_info=True)
                raise BrokenThreadPool(self._broken) from error
            self._initialized.done = True
        return fn(*args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; with cancel_futures cancel what has not begun; with wait wait for the rest."""
        if self._forks != _forks:  # its work is in the parent process, and so may be the thread that holds the lock
            self._shutdown, self._submit = True, _refuse_after_shutdown
            return
        with self._renewing:
            self._shutdown, self._submit = True, _refuse_after_shutdown
        if cancel_futures:
            group, deadline = self._groups[-1], time.monotonic() + _LONGEST_START
            # As in the standard library, what was submitted first has begun by now: its thread is on its way.
            while (counts := group.statistics).pending and not counts.running and not group.event_is_set():
                if time.monotonic() > deadline:
                    break  # the caller holds what it needs, such as the last permit of a subtree
                _plain.sleep(0)
            group.clear_pending("shutdown(cancel_futures=True)")
        if wait:
            self._wait_idle()
        _sweep()

    def _wait_idle(self) -> None:
        for group in list(self._groups):
            group.wait_idle()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            _core._interrupted()
        self.shutdown(wait=True)


class _Worker(NamedTuple):
    """A thread that serves an executor, as far as it is the executor's: joining it is waiting for the executor's work."""

    name: str
    ident: Optional[int]
    group: _core.ThreadGroup

    def is_alive(self) -> bool:
        return any(thread.ident == self.ident and thread.name == self.name for thread in threading.enumerate())

    def join(self, timeout: Optional[float] = None) -> None:
        self.group.wait_idle(timeout)


def _in_task() -> bool:
    return "/" in _core.current_path()


__all__ = ["Executor"]

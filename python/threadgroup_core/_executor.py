# SPDX-License-Identifier: Apache-2.0
"""A ``concurrent.futures.Executor`` over a group.

Its futures are ``concurrent.futures.Future`` objects. Like the executor of the standard library it completes what was
submitted before the interpreter goes; unlike it, its threads are told to stop together with the group it was made in.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
import weakref
from concurrent.futures import Executor as _BaseExecutor
from concurrent.futures import Future
from concurrent.futures.thread import BrokenThreadPool
from typing import Any, Callable, Iterable, List, Optional, Tuple

from . import _core

_exiting = False
_live: "weakref.WeakSet[Executor]" = weakref.WeakSet()
# Groups whose executor has gone while they had work left. Each is looked at when the next executor is made or ends.
_retired: List[_core.ThreadGroup] = []


def _sweep() -> None:
    _retired[:] = [g for g in _retired if g.statistics.pending or g.statistics.running]


def _retire(group: _core.ThreadGroup) -> None:
    _retired.append(group)
    _sweep()


def _at_exit() -> None:
    global _exiting
    _exiting = True
    for executor in list(_live):
        executor._group.wait_idle()
    for group in list(_retired):
        group.wait_idle()


# Where Python has it, before it waits for its own threads: those may wait for our futures.
getattr(threading, "_register_atexit", __import__("atexit").register)(_at_exit)


class Executor(_BaseExecutor):
    """Runs callables on the threads of a group, for all that takes an executor.

        with Executor(max_workers=8) as executor:
            lengths = list(executor.map(fetch, urls))
            await asyncio.get_running_loop().run_in_executor(executor, fetch, url)

    A callable that is dropped because the event was set has its future cancelled.
    """

    _counter = itertools.count().__next__

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
        self._thread_name_prefix = thread_name_prefix or f"Executor-{self._counter()}"
        self._initializer = initializer
        self._initargs = initargs
        self._initialized = threading.local()
        self._broken: "bool | str" = False
        self._shutdown = False
        self._group = _core.ThreadGroup(self._thread_name_prefix, max_workers)
        self._group._set_thread_names(self._thread_name_prefix)
        self._submit = self._group._submit
        weakref.finalize(self, _retire, self._group).atexit = False
        _live.add(self)

    @property
    def group(self) -> _core.ThreadGroup:
        """The group that does the work."""
        return self._group

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Schedule fn(*args, **kwargs), and return its future."""
        if self._broken:
            raise BrokenThreadPool(self._broken)
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if _exiting:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        future: "Future[Any]" = Future()
        if self._initializer is None:
            self._submit(future, fn, *args, **kwargs)
        else:
            self._submit(future, self._call_initialized, fn, args, kwargs)
        return future

    def _call_initialized(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if self._broken:
            raise BrokenThreadPool(self._broken)
        if not getattr(self._initialized, "done", False):
            assert self._initializer is not None
            try:
                self._initializer(*self._initargs)
            except BaseException as error:
                self._broken = "A thread initializer failed, the thread pool is not usable anymore"
                import logging

                logging.getLogger("concurrent.futures").critical("Exception in initializer:", exc_info=True)
                raise BrokenThreadPool(self._broken) from error
            self._initialized.done = True
        return fn(*args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; with cancel_futures cancel what has not begun; with wait wait for the rest."""
        self._shutdown = True
        if cancel_futures:
            # As in the standard library, what was submitted first has begun by now: its thread is on its way.
            while (counts := self._group.statistics).pending and not counts.running and not self._group.event_is_set():
                time.sleep(0)
            self._group.clear_pending("shutdown(cancel_futures=True)")
        if wait:
            self._group.wait_idle()
        _sweep()

    def __exit__(self, *exc_info: Any) -> None:
        self.shutdown(wait=True)


__all__: Iterable[str] = ["Executor"]

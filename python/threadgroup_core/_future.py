# SPDX-License-Identifier: Apache-2.0
"""The futures of an executor: those of the standard library, but without a lock and a condition until they are needed."""

from __future__ import annotations

import concurrent.futures
import signal
import sys
import threading
from typing import TypeVar

from . import _core

_T = TypeVar("_T")


class Future(_core.FutureBase[_T], concurrent.futures.Future[_T]):
    """A ``concurrent.futures.Future`` whose waits are waits for the task.

    A wait in the main thread ends with Ctrl-C, which stops all groups. In a task a wait lends the task's slot to others,
    and ends with ``WaitInterrupted`` when the task's group is stopped.
    """

    __slots__ = ()

    def cancel(self) -> bool:
        if super().cancel():
            return True
        if self.running() and _asyncio_was_interrupted():
            _core._interrupted()
        return False


def _asyncio_was_interrupted() -> bool:
    """Whether asyncio cancels its tasks because of a Ctrl-C, here in the main thread."""
    if threading.get_ident() != threading.main_thread().ident:
        return False
    if isinstance(sys.exc_info()[1], KeyboardInterrupt):
        return True
    # Since Python 3.11 its handler cancels the main task first, and the exception is raised when the loop has ended.
    runner = getattr(getattr(signal.getsignal(signal.SIGINT), "func", None), "__self__", None)
    return bool(getattr(runner, "_interrupt_count", 0))


_core._set_future_type(Future)

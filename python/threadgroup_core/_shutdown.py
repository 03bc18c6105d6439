# SPDX-License-Identifier: Apache-2.0
"""Shutting down on signals, together with Python's own handlers."""

from __future__ import annotations

import signal as _signal
from types import TracebackType
from typing import Any, Dict, Iterable, Optional, Type

from . import _core
from ._core import event_aware_sleep
from ._types import ShutdownPlan, ShutdownReport


def _taken(number: int, frame: Any) -> None:
    """In place of the handler that raises ``KeyboardInterrupt``: what the signal does is done by the shutdown."""


class SignalShutdown:
    """Shuts all groups down when a signal asks for it. Make one in the main thread, before the groups:

        with SignalShutdown(ShutdownPlan(drain=3, stop=2)) as on_signal:
            with ThreadGroup("service") as group:
                ...
        print(on_signal.report())

    The first signal shuts the groups down as planned; the reason is of kind ``signal``. The second one ends the drain, and the
    third one ends the process. Meanwhile Ctrl-C raises no ``KeyboardInterrupt``: the waits of the main thread end because
    what they wait for does. A handler that the program has set by ``signal.signal`` is called, too, in the main thread, and what it
    raises is raised there. At the end of the block the handlers are what they were before.
    """

    def __init__(
        self,
        plan: ShutdownPlan = ShutdownPlan(),
        signals: Iterable[int] = (_signal.SIGINT, _signal.SIGTERM),
    ) -> None:
        numbers = tuple(int(number) for number in signals)
        self._replaced: Dict[int, Any] = {}
        self._signal = 0
        self._report: Optional[ShutdownReport] = None
        self._watch: Optional[_core._SignalWatch] = None
        try:
            for number in numbers:
                if _signal.getsignal(number) is _signal.default_int_handler:
                    # Before the one of C++ comes in front of it.
                    self._replaced[number] = _signal.signal(number, _taken)
            self._watch = _core._SignalWatch(plan, numbers)
        except BaseException:
            self._restore()
            raise

    def signal(self) -> int:
        """The number of the first signal that came; 0 before."""
        return self._watch.signal() if self._watch is not None else self._signal

    def report(self) -> Optional[ShutdownReport]:
        """How the shutdown went, once it is over."""
        return self._watch.report() if self._watch is not None else self._report

    def wait(self) -> ShutdownReport:
        """Wait until a signal has come and the shutdown is over, for a main program that has nothing else to do. No stop ends this
        wait."""
        while True:
            report = self.report()
            if report is not None:
                return report
            if self._watch is None:
                raise RuntimeError("this SignalShutdown is closed, and no signal has come")
            with _core.Shield(None):
                event_aware_sleep(0.02)

    def close(self) -> None:
        """Wait for a shutdown that has begun, and restore the handlers. In the main thread."""
        watch = self._watch
        if watch is None:
            return
        if watch.signal() != 0:
            self._report = self.wait()
            self._signal = watch.signal()
        self._watch = None
        watch.close()
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._replaced.items():
            if _signal.getsignal(number) is _taken:
                _signal.signal(number, handler)
        self._replaced.clear()

    def __enter__(self) -> "SignalShutdown":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

# SPDX-License-Identifier: Apache-2.0
"""A call with a deadline."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Callable, TypeVar, Union

from ._core import StopScope
from ._types import Stopped

_T = TypeVar("_T")


def timeout(fn: Callable[..., _T], seconds: Union[float, timedelta], /, *args: Any, **kwargs: Any) -> _T:
    """Call ``fn(*args, **kwargs)`` in a ``StopScope`` of so many seconds, and return what it returns.

    ``TimeoutError`` if the time was up before it returned, even if it returned something then: a call that was stopped half way
    must not pass for one that was done. It ends only as soon as what it waits for is event-aware; nothing is killed.
    """
    name = getattr(fn, "__name__", None) or type(fn).__name__
    with StopScope(seconds, name) as scope:
        try:
            result = fn(*args, **kwargs)
        except Stopped as stopped:
            if scope.timed_out():
                raise TimeoutError(f"{name} was stopped after {seconds} s") from stopped
            raise
        if scope.timed_out():
            raise TimeoutError(f"{name} took longer than {seconds} s")
        return result

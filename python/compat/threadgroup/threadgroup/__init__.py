# SPDX-License-Identifier: Apache-2.0
"""The names of threadgroup-lib, on the core of threadgroup_core.

    group = threadgroup.ThreadGroup()

    @group.register()
    def f1():
        return 1

    group.execute()
    print(group.get_results())      # [(function=f1; result=1)]
"""

from __future__ import annotations

from threading import ThreadError
from typing import Iterable, Optional

from threadgroup_core import ExceptionGroup, Stopped
from threadgroup_core._functions import (
    Function,
    FunctionGroup,
    ResultList,
    ResultStruct,
    compile_results,
    construct_future,
    create_function,
    create_functions,
    run,
    run_futures,
)

__all__ = [
    "Function",
    "ResultList",
    "ResultStruct",
    "ThreadGroup",
    "compile_results",
    "construct_future",
    "create_function",
    "create_functions",
    "run_futures",
    "threaded_execution",
]


class ThreadGroup(FunctionGroup):
    """Functions that are registered first and then run together.

    ``max_workers`` bounds how many run at a time; None is 32. Failures arrive as one ``threading.ThreadError``, whose cause is what
    the function raised, or an exception group if several failed.
    """

    def _raise(self, error: BaseException) -> None:
        _raise(error)


def threaded_execution(functions: Iterable[Function],
                       max_workers: Optional[int] = None) -> "ResultList[ResultStruct]":
    """Run the functions concurrently, and return their results in the order given. Failures are raised when all are done."""
    ran = run(functions, max_workers)
    if ran.error is not None:
        _raise(ran.error)
    return ran.results


def _raise(error: BaseException) -> None:
    # What is no failure of a function passes as it is: a stop of the caller, a KeyboardInterrupt.
    if isinstance(error, Stopped) or not isinstance(error, Exception):
        raise error
    if isinstance(error, ExceptionGroup):
        raise ThreadError(str(error), error) from error
    raise ThreadError(f"a function failed: {error!r}", error) from error

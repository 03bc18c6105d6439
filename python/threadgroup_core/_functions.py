# SPDX-License-Identifier: Apache-2.0
"""Functions that run together, and what became of each. Two of the import names in ``python/compat`` are built on this."""

from __future__ import annotations

import inspect
import sys
import warnings
from concurrent.futures import Executor, Future
from typing import Any, Callable, Collection, Dict, Iterable, List, NamedTuple, Optional, TypeVar

from ._core import ThreadGroup
from ._types import Failure, Stopped, TaskSkipped, TaskStatus, group_failures

_DEFAULT_WORKERS = 32
_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


class Function:
    """A callable and the arguments that it will be called with."""

    def __init__(self, fn: Callable[..., Any], *fn_args: Any, **fn_kwargs: Any) -> None:
        if not callable(fn):
            raise TypeError(f"not callable: {fn!r}")
        _refuse_coroutine(fn)
        self.fn = fn
        self.fn_args = fn_args
        self.fn_kwargs = fn_kwargs

    @property
    def fn_name(self) -> str:
        return name_of(self.fn)

    @property
    def fn_path(self) -> str:
        return f"{getattr(self.fn, '__module__', None)}.{self.fn_name}"

    def __call__(self) -> Any:
        return self.fn(*self.fn_args, **self.fn_kwargs)

    def __repr__(self) -> str:
        return f"fn={self.fn_name}; fn_args={self.fn_args}, fn_kwargs={self.fn_kwargs}"


class ResultStruct:
    """What became of one function: its result, or what it raised, or neither if it was stopped or skipped."""

    def __init__(
        self,
        function: Function,
        result: Any = None,
        exception: Optional[BaseException] = None,
        status: TaskStatus = TaskStatus.SUCCEEDED,
    ) -> None:
        self.function = function
        self.fn_name = function.fn_name
        self.result = result
        self.exception = exception
        self.status = status

    def __repr__(self) -> str:
        if self.status is TaskStatus.SUCCEEDED:
            return f"(function={self.fn_name}; result={self.result})"
        if self.status is TaskStatus.FAILED:
            return f"(function={self.fn_name}; failed={self.exception!r})"
        return f"(function={self.fn_name}; {self.status})"


class ResultList(List[_T]):
    """Results in the order of registration. Prints as [(function=f1; result=1), ...]."""

    def get(self, fn_name: str) -> "ResultList[_T]":
        """Those of that function, in order: two functions may share a name."""
        return ResultList(r for r in self if r.fn_name == fn_name)  # type: ignore[attr-defined]

    def asdict(self) -> Dict[str, List[Any]]:
        """What the functions returned, by name of the function. Those that did not return are left out."""
        grouped: Dict[str, List[Any]] = {}
        for r in self:
            if r.status is TaskStatus.SUCCEEDED:  # type: ignore[attr-defined]
                grouped.setdefault(r.fn_name, []).append(r.result)  # type: ignore[attr-defined]
        return grouped


class Run(NamedTuple):
    """One run of some functions."""

    results: "ResultList[ResultStruct]"
    error: Optional[BaseException]
    """What it raised, if it did not all succeed: one failure as itself, several as an exception group."""


class FunctionGroup:
    """Functions that are registered first and then run together.

    ``max_workers`` bounds how many run at a time; None is 32. Calling the group is the same as ``execute()``.
    """

    def __init__(self, max_workers: Optional[int] = None, name: str = "") -> None:
        if max_workers is not None and max_workers < 1:
            raise ValueError("max_workers must be at least 1")
        self.max_workers = max_workers
        self.name = name
        self.functions: List[Function] = []
        self.results: ResultList[ResultStruct] = ResultList()
        self._executed = False

    def register(self, *fn_args: Any, **fn_kwargs: Any) -> Callable[[_F], _F]:
        """A decorator: the function will run with these arguments at ``execute()``. It can still be called directly."""

        def outer(fn: _F) -> _F:
            self.functions.append(Function(fn, *fn_args, **fn_kwargs))
            return fn

        return outer

    def update_fn_args(self, fn: Callable[..., Any], *fn_args: Any, **fn_kwargs: Any) -> None:
        """Replace the arguments of a registered function: the one given, else all of that name."""
        found = [f for f in self.functions if f.fn is fn] or [f for f in self.functions if f.fn_name == name_of(fn)]
        if not found:
            raise KeyError(f"{name_of(fn)} is not registered in this group")
        for function in found:
            function.fn_args = fn_args
            function.fn_kwargs = fn_kwargs

    def execute(self) -> "ResultList[ResultStruct]":
        """Run what is registered, and return the results. If a function fails, that is raised when all are done, and names
        it; the results of the others stay in ``get_results()``."""
        ran = run(self.functions, self.max_workers, self.name)
        self.results = ran.results
        self._executed = True
        if ran.error is not None:
            self._raise(ran.error)
        return self.results

    def __call__(self, *args: Any, **kwargs: Any) -> "ResultList[ResultStruct]":
        return self.execute()

    @property
    def executed(self) -> bool:
        """Whether a run was completed, with failures or without."""
        return self._executed

    def get_results(self) -> "ResultList[ResultStruct]":
        """The results of the last run."""
        return self.results

    def _raise(self, error: BaseException) -> None:
        raise error


def create_function(fn: Callable[..., Any], *fn_args: Any, **fn_kwargs: Any) -> Function:
    """A callable with its arguments, for ``threaded_execution``."""
    return Function(fn, *fn_args, **fn_kwargs)


def create_functions(function: Callable[..., Any], *iterables: Collection[Any], **kwargs: Any) -> List[Function]:
    """The function once for each set of items of the iterables, as with ``zip``; the keyword arguments are the same each time."""
    if len({len(items) for items in iterables}) > 1:
        warnings.warn(f"the arguments for {name_of(function)} are of different lengths: the surplus is left out", stacklevel=2)
    return [Function(function, *items, **kwargs) for items in zip(*iterables)]


def construct_future(executor: Executor, fn: Callable[..., Any], *fn_args: Any, **fn_kwargs: Any) -> "Future[Any]":
    """Submit a call to an executor, for instance a ``threadgroup_core.Executor``."""
    _refuse_coroutine(fn)
    return executor.submit(fn, *fn_args, **fn_kwargs)


def run_futures(futures: Iterable["Future[Any]"]) -> List[Any]:
    """Wait for all, and return their results in order."""
    return [future.result() for future in futures]


def compile_results(functions: List[Function], results: List[Any]) -> "ResultList[ResultStruct]":
    """Put functions and their results together."""
    if len(functions) != len(results):
        raise ValueError(f"{len(functions)} functions, but {len(results)} results")
    return ResultList(ResultStruct(f, r) for f, r in zip(functions, results))


def name_of(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__name__", None) or type(fn).__name__


def run(functions: Iterable[Function], max_workers: Optional[int] = None, name: str = "") -> Run:
    """Run the functions concurrently, and wait for all."""
    functions = list(functions)
    results: ResultList[ResultStruct] = ResultList()
    failures: List[Failure] = []
    with ThreadGroup(name, max_workers or _DEFAULT_WORKERS) as group:
        handles = [group.add_named_task(f.fn_name, f.fn, *f.fn_args, **f.fn_kwargs) for f in functions]
        if not group.wait_idle():
            group.set_event("the caller was stopped")
            group.wait_idle()
        for function, handle in zip(functions, handles):
            status = handle.status
            error = handle.exception() if status is TaskStatus.FAILED else None
            result = handle.get() if status is TaskStatus.SUCCEEDED else None
            results.append(ResultStruct(function, result, error, status))
            if status is TaskStatus.SKIPPED:
                error = TaskSkipped(f"function '{function.fn_name}' was skipped: {handle.reason}")
            elif status is TaskStatus.STOPPED:
                error = Stopped(f"function '{function.fn_name}' was stopped: {handle.reason}")
            if error is not None:
                failures.append(Failure(function.fn_name, error))
        path = group.path
    return Run(results, _error_of(path, failures))


def _error_of(path: str, failures: List[Failure]) -> Optional[BaseException]:
    if not failures:
        return None
    if sys.version_info >= (3, 11):
        for failure in failures:
            note = f"raised by the function '{failure.task}' of group '{path}'"
            if note not in getattr(failure.exception, "__notes__", ()):
                failure.exception.add_note(note)
    if all(isinstance(f.exception, Stopped) for f in failures):
        return failures[0].exception  # the caller is to end as stopped, which a group of exceptions is not
    return group_failures(path, failures)


def _refuse_coroutine(fn: Callable[..., Any]) -> None:
    if inspect.iscoroutinefunction(fn):
        raise TypeError(f"{name_of(fn)} is a coroutine function: it cannot run in a thread")

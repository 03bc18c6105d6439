# SPDX-License-Identifier: Apache-2.0
"""Functions that look at the values of a key before they go into a vault, and functions that change them."""

from __future__ import annotations

import ast
import enum
import functools
import inspect
import textwrap
import warnings
from typing import Any, Callable, Optional, Tuple

_ROLE = "_varvault_role"


class Role(enum.Enum):
    VALIDATOR = "validator"
    MODIFIER = "modifier"


class ValidatorException(AssertionError):
    """A validator has refused a value."""


class ModifierException(Exception):
    """A modifier has raised; the cause is what it raised."""


def role_of(function: Callable[..., Any]) -> Optional[Role]:
    return getattr(function, _ROLE, None)


def validator(function_asserts: Optional[bool] = None, function_returns_bool: Optional[bool] = None,
              skip_source_assertions: bool = False) -> Callable[[Callable[[Any], Any]], Callable[..., None]]:
    """A decorator for a function that looks at values of a key. It asserts (the default), or returns whether all is well.

    A function whose source neither asserts nor raises, or returns nothing, is refused, unless ``skip_source_assertions`` is set.
    """
    if function_asserts and function_returns_bool:
        raise SyntaxError("a validator either asserts or returns a bool")
    returns_bool = bool(function_returns_bool)

    def wrap(function: Callable[[Any], Any]) -> Callable[..., None]:
        _require_one_parameter(function)
        if returns_bool and inspect.signature(function).return_annotation not in (bool, "bool"):
            warnings.warn(f"{function.__name__} is announced as a validator that returns a bool, and not annotated so: write "
                          f"'-> bool'", SyntaxWarning, stacklevel=2)
        if not skip_source_assertions and not (_returns(function) if returns_bool else _asserts(function)):
            raise ValueError(f"{function.__name__} {'returns nothing' if returns_bool else 'asserts nothing'}; if that is "
                             f"right, set skip_source_assertions")

        @functools.wraps(function)
        def check(value: Any, key: Any = "") -> None:
            try:
                answer = function(value)
            except AssertionError as error:
                raise ValidatorException(f"{function.__name__} refused {value!r} for key '{key}': {error}") from error
            if not returns_bool:
                return
            if not isinstance(answer, bool):
                raise ValidatorException(f"{function.__name__} is to return a bool for key '{key}', not {answer!r}")
            if not answer:
                raise ValidatorException(f"{function.__name__} refused {value!r} for key '{key}'")

        setattr(check, _ROLE, Role.VALIDATOR)
        return check

    return wrap


def modifier() -> Callable[[Callable[[Any], Any]], Callable[..., Any]]:
    """A decorator for a function that takes a value of a key and returns the one that goes into the vault instead."""

    def wrap(function: Callable[[Any], Any]) -> Callable[..., Any]:
        _require_one_parameter(function)

        @functools.wraps(function)
        def modify(value: Any, key: Any = "") -> Any:
            try:
                return function(value)
            except Exception as error:
                raise ModifierException(f"{function.__name__} failed on {value!r} for key '{key}': {error}") from error

        setattr(modify, _ROLE, Role.MODIFIER)
        return modify

    return wrap


def _require_one_parameter(function: Callable[..., Any]) -> None:
    if len(inspect.signature(function).parameters) != 1:
        raise TypeError(f"{function.__name__} must have one parameter, the value")


def _asserts(function: Callable[..., Any]) -> bool:
    return _has(function, (ast.Assert, ast.Raise))


def _returns(function: Callable[..., Any]) -> bool:
    return _has(function, (ast.Return, ast.Lambda))


def _has(function: Callable[..., Any], kinds: Tuple[type, ...]) -> bool:
    """Whether the source has such a node; true if there is no source to look at."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return True
    return any(isinstance(node, kinds) for node in ast.walk(tree))

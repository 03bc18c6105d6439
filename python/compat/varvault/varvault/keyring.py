# SPDX-License-Identifier: Apache-2.0
"""Keys: a name, the type of its values, and what else is asked of them."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, Iterable, Optional, Tuple, Type, Union


class _Assigned:
    def __repr__(self) -> str:
        return "AssignedByVault"


AssignedByVault: Any = _Assigned()
"""A default for parameters that the vault fills in: it says so to readers and to type checkers."""


def validator(function_asserts: Optional[bool] = None, function_returns_bool: Optional[bool] = None,
              skip_source_assertions: bool = False) -> Callable[[Callable[[Any], Any]], Callable[[Any], None]]:
    """A decorator for a function that looks at values of a key. It raises (the default), or returns whether all is well."""
    if function_asserts and function_returns_bool:
        raise SyntaxError("a validator either asserts or returns a bool")
    returns_bool = bool(function_returns_bool)

    def wrap(function: Callable[[Any], Any]) -> Callable[[Any], None]:
        @functools.wraps(function)
        def check(value: Any) -> None:
            answer = function(value)
            if returns_bool and answer is not True:
                raise AssertionError(f"{function.__name__} refused {value!r}")

        return check

    return wrap


class Key(str):
    """A key is a string with a type. Values of another type are refused when they are written."""

    key_name: str
    valid_type: Any
    can_be_none: bool
    validators: Tuple[Callable[[Any], Any], ...]

    def __new__(cls, key_name: str, valid_type: Any = None, can_be_none: bool = False,
                validators: Union[Callable[[Any], Any], Iterable[Callable[[Any], Any]], None] = None) -> "Key":
        if not key_name.isidentifier():
            raise ValueError(f"a key is passed as a keyword argument, and {key_name!r} cannot be the name of one")
        key = super().__new__(cls, key_name)
        key.key_name = key_name
        key.valid_type = valid_type
        key.can_be_none = can_be_none
        if validators is None:
            key.validators = ()
        elif callable(validators):
            key.validators = (validators,)
        else:
            key.validators = tuple(validators)
        return key

    def check(self, value: Any) -> None:
        """Raise unless the value may be given to this key."""
        if value is None and (self.can_be_none or self.valid_type is None):
            return
        if self.valid_type is not None and not isinstance(value, self.valid_type):
            raise TypeError(f"key '{self}' takes {_type_name(self.valid_type)}, not {type(value).__name__}: {value!r}")
        for check in self.validators:
            check(value)

    def type_is_valid(self, value: Any) -> bool:
        try:
            self.check(value)
        except TypeError:
            return False
        return True

    def empty_value(self) -> Any:
        """An empty value of the type, or None."""
        try:
            return self.valid_type()
        except TypeError:
            return None


def _type_name(valid_type: Any) -> str:
    if isinstance(valid_type, tuple):
        return " or ".join(t.__name__ for t in valid_type)
    return getattr(valid_type, "__name__", str(valid_type))


class Keyring:
    """Derive from it, and give each key the name of its variable."""

    @classmethod
    def get_keys(cls) -> Dict[str, Key]:
        keys: Dict[str, Key] = {}
        for base in reversed(cls.__mro__):
            for name, key in vars(base).items():
                if not isinstance(key, Key):
                    continue
                if name != key:
                    raise ValueError(f"the key '{key}' stands under the name '{name}' in {cls.__name__}")
                keys[name] = key
        return keys

    get_keys_in_keyring = get_keys

    @classmethod
    def get_key_by_matching_string(cls, name: str) -> Key:
        try:
            return cls.get_keys()[name]
        except KeyError:
            raise KeyError(f"{cls.__name__} has no key '{name}'") from None


KeyringType = Type[Keyring]

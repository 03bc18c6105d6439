# SPDX-License-Identifier: Apache-2.0
"""Keys: a name, the type of its values, and what else is asked of them."""

from __future__ import annotations

import enum
from typing import Any, Callable, Dict, Iterable, List, Set, Tuple, Type, Union

from .validator import Role, modifier, role_of, validator

Checks = Union[Callable[..., Any], Iterable[Callable[..., Any]], None]


class _Assigned(enum.Enum):
    ASSIGNED = True

    def __repr__(self) -> str:
        return "AssignedByVault"


AssignedByVault: Any = _Assigned.ASSIGNED
"""A default for parameters that the vault fills in."""


class Usages:
    """The functions that are bound to a key."""

    def __init__(self) -> None:
        self._input: Set[str] = set()
        self._output: Set[str] = set()

    def add_input(self, function: Callable[..., Any]) -> None:
        self._input.add(_path_of(function))

    def add_return(self, function: Callable[..., Any]) -> None:
        self._output.add(_path_of(function))

    @property
    def as_input(self) -> List[str]:
        return sorted(self._input)

    @property
    def as_return(self) -> List[str]:
        return sorted(self._output)


class Key(str):
    """A key is a string with a type. Values of another type are refused when they are written.

    A value is changed by the modifiers first, then its type is checked, then the validators look at it.
    """

    key_name: str
    valid_type: Any
    description: str
    can_be_none: bool
    validators: Tuple[Callable[..., Any], ...]
    modifiers: Tuple[Callable[..., Any], ...]
    usages: Usages

    def __new__(cls, key_name: str, valid_type: Any = None, description: str = "", can_be_none: bool = False,
                validators: Checks = None, modifiers: Checks = None) -> "Key":
        if not key_name.isidentifier():
            raise ValueError(f"a key is passed as a keyword argument, and {key_name!r} cannot be the name of one")
        key = super().__new__(cls, key_name)
        key.key_name = key_name
        key.valid_type = valid_type
        key.description = description
        key.can_be_none = can_be_none
        key.validators = _decorated(validators, Role.VALIDATOR, validator)
        key.modifiers = _decorated(modifiers, Role.MODIFIER, modifier)
        key.usages = Usages()
        return key

    def run_modifiers(self, value: Any) -> Any:
        for modify in self.modifiers:
            value = modify(value, self)
        return value

    def type_is_valid(self, value: Any) -> bool:
        """Whether the value, or the class if it is one, is of the key's type."""
        if self.valid_type is None or (value is None and self.can_be_none):
            return True
        return isinstance(value, self.valid_type) or (isinstance(value, type) and issubclass(value, self.valid_type))

    def check(self, value: Any) -> None:
        """Raise unless the value may be given to this key."""
        if not self.type_is_valid(value):
            raise ValueError(f"Key '{self}' requires type to be '{self.valid_type}', and {value!r} is a '{type(value)}'")
        if value is None and self.can_be_none:
            return
        for check in self.validators:
            check(value, self)

    def empty_value(self) -> Any:
        """An empty value of the type, or None."""
        try:
            return self.valid_type()
        except TypeError:
            return None


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
                    raise ValueError(f"the key '{key}' has the name '{name}' in {cls.__name__}: give both the same name")
                keys[name] = key
        return keys

    get_keys_in_keyring = get_keys

    @classmethod
    def get_key_by_matching_string(cls, name: str) -> Key:
        try:
            return cls.get_keys()[name]
        except KeyError:
            raise KeyError(f"Failed to get matching key for string: {name}; {cls.__name__} has no key of that name") from None


KeyringType = Type[Keyring]


def _decorated(given: Checks, role: Role, decorator: Callable[..., Any]) -> Tuple[Callable[..., Any], ...]:
    functions = () if given is None else (given,) if callable(given) else tuple(given)
    for function in functions:
        if role_of(function) is not role:
            raise ValueError(f"{function!r} is not decorated with {decorator}")
    return functions


def _path_of(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__name__', type(function).__name__)}"

# SPDX-License-Identifier: Apache-2.0
"""Types of values that are kept in a resource as plain data, and made again from it."""

from __future__ import annotations

from typing import Any, Dict, List, Set


class VaultStructBase:
    """Derive from one of the classes below, and say in ``create`` how a value is made of the data."""

    @classmethod
    def create(cls, vault_key: str, vault_value: Any) -> Any:
        """Make a value of the data under that key in a resource."""
        raise NotImplementedError(f"{cls.__name__} does not say how it is made of the data in a resource: define create")


class VaultStructDictBase(VaultStructBase, Dict[str, Any]):
    """A dictionary whose items are its attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"'{type(self).__name__}' has no attribute or item '{name}'") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"'{type(self).__name__}' has no attribute or item '{name}'") from None


class VaultStructListBase(VaultStructBase, List[Any]):
    """A list that holds the values of its attributes."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if value not in self:
            self.append(value)


class VaultStructSetBase(VaultStructBase, Set[Any]):
    """A set that holds the values of its attributes. JSON has no sets: it stays in memory."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self.add(value)


class VaultStructStringBase(VaultStructBase, str):
    """A string with attributes of its own, which are not kept."""


class VaultStructIntBase(VaultStructBase, int):
    """An integer with attributes of its own, which are not kept."""


class VaultStructFloatBase(VaultStructBase, float):
    """A number with attributes of its own, which are not kept."""

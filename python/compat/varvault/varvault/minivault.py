# SPDX-License-Identifier: Apache-2.0
"""What a bound function returns when it says itself which value belongs to which key."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from .keyring import Key


class MiniVault(Dict[Key, Any]):
    """A dictionary from keys to values: MiniVault({Keyring.k1: 1})."""

    @classmethod
    def build(cls, keys: Sequence[Key], values: Sequence[Any]) -> "MiniVault":
        if len(keys) != len(values):
            raise ValueError(f"{len(keys)} keys, but {len(values)} values")
        return cls(zip(keys, values))

    def add(self, key: Key, value: Any) -> None:
        self[key] = value

    @property
    def keys_list(self) -> List[Key]:
        return list(self)

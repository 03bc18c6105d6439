# SPDX-License-Identifier: Apache-2.0
"""The names of varvault, on the core of threadgroup_core: typed keys, and functions bound to them.

    class Keyring(varvault.Keyring):
        user = varvault.Key("user", valid_type=str)
        mail = varvault.Key("mail", valid_type=str)

    vault = varvault.create(keyring=Keyring)

    @vault.automatic(input=Keyring.user, output=Keyring.mail)     # runs as soon as there is a user
    def find_mail(user=varvault.AssignedByVault):
        return user + "@example.org"

    vault.insert(Keyring.user, "ada")
    assert vault.get(Keyring.mail) == "ada@example.org"
"""

from __future__ import annotations

from typing import Iterable, Optional

from threadgroup_core._functions import (
    Function,
    FunctionGroup as ThreadGroup,
    ResultList,
    ResultStruct,
    create_function,
    create_functions,
    run as _run,
)

from .factory import create, create_vault, from_vault
from .flags import Flags, VaultFlags
from .jsonresource import JsonResource
from .keyring import AssignedByVault, Key, Keyring
from .minivault import MiniVault
from .resource import BaseResource, ModeProperties, ResourceModes, ResourceNotFoundError
from .validator import ModifierException, ValidatorException, modifier, validator
from .vault import VarVault
from .vaultstructs import (
    VaultStructBase,
    VaultStructDictBase,
    VaultStructFloatBase,
    VaultStructIntBase,
    VaultStructListBase,
    VaultStructSetBase,
    VaultStructStringBase,
)

__version__ = "7.0.0"
"""The version of varvault whose names and behaviour these are."""

__all__ = [
    "AssignedByVault",
    "BaseResource",
    "Flags",
    "Function",
    "JsonResource",
    "Key",
    "Keyring",
    "MiniVault",
    "ModeProperties",
    "ModifierException",
    "ResourceModes",
    "ResourceNotFoundError",
    "ResultList",
    "ResultStruct",
    "ThreadGroup",
    "ValidatorException",
    "VarVault",
    "VaultFlags",
    "VaultStructBase",
    "VaultStructDictBase",
    "VaultStructFloatBase",
    "VaultStructIntBase",
    "VaultStructListBase",
    "VaultStructSetBase",
    "VaultStructStringBase",
    "assert_and_raise",
    "create",
    "create_function",
    "create_functions",
    "create_vault",
    "from_vault",
    "modifier",
    "threaded_execution",
    "validator",
]


def threaded_execution(functions: Iterable[Function], max_workers: Optional[int] = None) -> "ResultList[ResultStruct]":
    """Run the functions concurrently, and return their results in order. Failures are raised as they are when all are done."""
    ran = _run(functions, max_workers)
    if ran.error is not None:
        raise ran.error
    return ran.results


def assert_and_raise(condition: object, exception: BaseException) -> None:
    """Raise the exception unless the condition is true."""
    if not condition:
        raise exception

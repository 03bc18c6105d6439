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

from .flags import Flags, VaultFlags
from .keyring import AssignedByVault, Key, Keyring, validator
from .minivault import MiniVault
from .resource import BaseResource, JsonResource, ResourceNotFoundError
from .vault import VarVault, create, create_vault, from_vault

__all__ = [
    "AssignedByVault",
    "BaseResource",
    "Flags",
    "JsonResource",
    "Key",
    "Keyring",
    "MiniVault",
    "ResourceNotFoundError",
    "VarVault",
    "VaultFlags",
    "create",
    "create_vault",
    "from_vault",
    "validator",
]

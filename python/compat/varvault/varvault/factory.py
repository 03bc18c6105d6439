# SPDX-License-Identifier: Apache-2.0
"""Making vaults."""

from __future__ import annotations

import logging
import warnings
from typing import Optional, Tuple, Type

from .flags import Flags
from .keyring import Key, Keyring
from .resource import BaseResource
from .vault import VarVault


def create(*flags: Flags, keyring: Optional[Type[Keyring]] = None, name: Optional[str] = None,
           resource: Optional[BaseResource] = None, logger: Optional[logging.Logger] = None,
           **extra_keys: Key) -> VarVault:
    """Make a vault. With a resource whose mode is not ``w`` it begins with what that holds; otherwise the resource is made, empty."""
    vault = VarVault(*flags, keyring=keyring, name=name, resource=resource, logger=logger, **extra_keys)
    if resource is not None:
        if resource.mode_properties.load:
            _load(vault, resource, flags)
        else:
            resource.create()
    return vault


def create_vault(varvault_keyring: Type[Keyring], varvault_vault_name: str, *flags: Flags,
                 varvault_resource_to: Optional[BaseResource] = None,
                 varvault_specific_logger: Optional[logging.Logger] = None, **extra_keys: Key) -> VarVault:
    """``create`` by its older name: a vault that begins empty."""
    vault = VarVault(*flags, keyring=varvault_keyring, name=varvault_vault_name, resource=varvault_resource_to,
                     logger=varvault_specific_logger, **extra_keys)
    if varvault_resource_to is not None:
        varvault_resource_to.create()
    return vault


def from_vault(varvault_keyring: Type[Keyring], varvault_vault_name: str, varvault_resource_from: BaseResource,
               *flags: Flags, varvault_resource_to: Optional[BaseResource] = None,
               varvault_specific_logger: Optional[logging.Logger] = None, **extra_keys: Key) -> VarVault:
    """A vault that begins with what a resource holds, and is kept in another one or in none."""
    vault = VarVault(*flags, keyring=varvault_keyring, name=varvault_vault_name, resource=varvault_resource_to,
                     logger=varvault_specific_logger, **extra_keys)
    _load(vault, varvault_resource_from, flags)
    if varvault_resource_to is not None:
        varvault_resource_to.create()
    elif Flags.live_update in flags:
        vault.resource = varvault_resource_from
        vault.flags = (*flags, Flags.vault_is_read_only)
    return vault


def _load(vault: VarVault, resource: BaseResource, flags: Tuple[Flags, ...]) -> None:
    data = resource.read()
    unknown = [name for name in data if name not in vault.keys]
    if unknown and Flags.ignore_keys_not_in_keyring in flags:
        warnings.warn(f"Keys were found in the resource {resource!r} that the keyring lacks, and left out: {unknown}", stacklevel=3)
    elif unknown and not resource.mode_properties.read_only:
        raise ValueError(f"{resource!r} holds keys that are not in the keyring: {unknown}; to leave them out, open it with mode r "
                         f"or set {Flags.ignore_keys_not_in_keyring}")
    vault._set(resource.build_mv(data, vault.keys))

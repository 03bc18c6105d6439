# SPDX-License-Identifier: Apache-2.0
"""How vaults and bound functions depart from the default, by name."""

from __future__ import annotations

import enum
from typing import Any, Iterable, Tuple


class Flags(enum.Enum):
    """Given to a vault they hold for all its functions; given to a function, for that one too."""

    return_values_cannot_be_none = "return_values_cannot_be_none"
    """No output may be None."""
    permit_modifications = "permit_modifications"
    """A key that has a value may be given another."""
    input_key_can_be_missing = "input_key_can_be_missing"
    """A function whose input key has no value gets None for it."""
    output_key_can_be_missing = "output_key_can_be_missing"
    """The function returns a MiniVault, which may lack some of the output keys."""
    split_output_keys = "split_output_keys"
    """The function returns a MiniVault of which this vault takes only its own output keys."""
    clean_output_keys = "clean_output_keys"
    """The output keys are reset to an empty value of their type, whatever the function returns."""
    return_tuple_is_single_item = "return_tuple_is_single_item"
    """A tuple that is returned is the value of the one output key."""
    output_key_replaces_input_key = "output_key_replaces_input_key"
    """The one input key loses its value when the one output key gets its own."""
    use_signature_for_input_keys = "use_signature_for_input_keys"
    """The names of the function's parameters are its input keys."""
    auto_run_regardless_of_key_status = "auto_run_regardless_of_key_status"
    """An automatic function runs also if all its output keys have values already."""
    ignore_keys_not_in_keyring = "ignore_keys_not_in_keyring"
    """Keys in a resource that the keyring lacks are left out."""
    vault_is_read_only = "vault_is_read_only"
    """The resource is never written."""
    live_update = "live_update"
    """The resource is read again before a value is taken from the vault, if it has changed."""
    no_error_logging = "no_error_logging"
    """Exceptions of bound functions are raised, but not logged."""
    disable_logger = "disable_logger"
    """Nothing is logged."""
    debug = "debug"
    """Calls are logged to the console, too."""
    silent = "silent"
    """Calls are not logged; errors still are."""
    remove_existing_log_file = "remove_existing_log_file"
    """Kept for programs that pass it: the log goes to `logging`, and there is no file to remove."""

    # The same under the names that older programs use.
    permit_modification = permit_modifications
    return_key_can_be_missing = output_key_can_be_missing
    split_return_keys = split_output_keys
    clean_return_keys = clean_output_keys
    file_is_read_only = vault_is_read_only
    input_var_can_be_missing = input_key_can_be_missing
    clean_return_var_keys = clean_output_keys

    def __call__(self) -> "Flags":  # older programs write VaultFlags.debug()
        return self

    @staticmethod
    def is_set(flag: Any, *flags: "Flags") -> bool:
        """Whether the flag, or one of a tuple of flags, is among the others."""
        wanted: Iterable[Flags] = flag if isinstance(flag, tuple) else (flag,)
        return any(f in flags for f in wanted)

    @staticmethod
    def flag_is_set(flag: "Flags", *flags: "Flags") -> bool:
        return flag in flags


VaultFlags = Flags


def checked(flags: Iterable[Any]) -> Tuple[Flags, ...]:
    """The flags, if that is what they are."""
    flags = tuple(flags)
    for flag in flags:
        if not isinstance(flag, Flags):
            raise TypeError(f"{flag!r} is not of type Flags")
    return flags

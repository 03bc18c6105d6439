# SPDX-License-Identifier: Apache-2.0
"""Functions whose arguments come from a vault, and whose results go there."""

from __future__ import annotations

import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from .flags import Flags
from .keyring import AssignedByVault, Key
from .minivault import MiniVault

if TYPE_CHECKING:
    from .vault import VarVault

Keys = Union[Key, Sequence[Key], None]

# On wrappers: a function that another vault has bound already fills in its own defaults.
_BOUND = "_varvault_bound"


class Bound:
    """A function and the keys that it is bound to. Constant after construction."""

    def __init__(self, vault: "VarVault", function: Callable[..., Any], inputs: Keys, outputs: Keys, flags: Tuple[Flags, ...],
                 condition: Optional[Callable[[], Any]] = None, automatic: bool = False, threaded: bool = False) -> None:
        self.vault = vault
        self.function = function
        self.flags = flags
        self.condition = condition
        self.threaded = threaded
        self.name: str = getattr(function, "__name__", type(function).__name__)
        self.inputs = _as_tuple(inputs)
        self.outputs = _as_tuple(outputs)
        for key in (*self.inputs, *self.outputs):
            vault._known(key)
        self._parameters = inspect.signature(function).parameters
        innermost = not hasattr(function, _BOUND)
        if self.has(Flags.use_signature_for_input_keys):
            self.inputs += self._inputs_by_signature()
        defaults = self._defaults() if innermost else ()
        if automatic:
            # No caller passes anything: the function waits for what its defaults leave to the vault, too.
            self.inputs += defaults
            defaults = ()
            if set(self.inputs) & set(self.outputs):
                raise KeyError(f"input and output cannot contain the same keys, or {self.name}() would start itself: "
                               f"{sorted(set(self.inputs) & set(self.outputs))}")
        self.defaults = defaults
        self.unfilled = tuple(name for name in self._assigned() if name not in vault.keys) if innermost else ()
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in self._parameters.values())
        unknown = [key for key in self.inputs if key not in self._parameters and not takes_any]
        if unknown:
            raise TypeError(f"{self.name}() has no parameter for its input key {', '.join(unknown)}")
        for key in self.inputs:
            key.usages.add_input(function)
        for key in self.outputs:
            key.usages.add_return(function)

    def has(self, flag: Flags) -> bool:
        return flag in self.flags

    def wrapper(self) -> Callable[..., Any]:
        """What takes the place of the function for its callers."""
        wrapped: Callable[..., Any]
        if inspect.iscoroutinefunction(self.function):

            @functools.wraps(self.function)
            async def call_async(*args: Any, **kwargs: Any) -> Any:
                arguments = self._begin(args, kwargs)
                try:
                    result = await self.function(*args, **arguments)
                except Exception:
                    self._failed()
                    raise
                self._store(result)
                return result

            wrapped = call_async
        else:

            @functools.wraps(self.function)
            def call(*args: Any, **kwargs: Any) -> Any:
                return self.call(*args, **kwargs)

            wrapped = call
        setattr(wrapped, _BOUND, True)
        return wrapped

    def call(self, *args: Any, **kwargs: Any) -> Any:
        arguments = self._begin(args, kwargs)
        try:
            result = self.function(*args, **arguments)
        except Exception:
            self._failed()
            raise
        self._store(result)
        return result

    # --- before the call ---

    def _assigned(self) -> List[str]:
        return [name for name, p in self._parameters.items() if p.default is AssignedByVault]

    def _defaults(self) -> Tuple[Key, ...]:
        return tuple(self.vault.keys[n] for n in self._assigned() if n in self.vault.keys and n not in self.inputs)

    def _inputs_by_signature(self) -> Tuple[Key, ...]:
        keys = self.vault.keys
        wrong = [name for name in self._assigned() if name not in keys and not hasattr(self.function, _BOUND)]
        if wrong:
            raise AssertionError(f"{self.name}() expects {', '.join(wrong)} from the vault, whose keyring has no such key")
        named = [n for n in self._parameters if n in keys and n not in self.inputs and n not in self.outputs]
        wrong = [n for n in named if self._parameters[n].default not in (AssignedByVault, inspect.Parameter.empty)]
        if wrong:
            raise AssertionError(f"{self.name}() takes {', '.join(wrong)} from the vault, and gives another default than "
                                 f"AssignedByVault")
        return tuple(keys[name] for name in named)

    def _begin(self, args: Tuple[Any, ...], given: Dict[str, Any]) -> Dict[str, Any]:
        if self.has(Flags.output_key_replaces_input_key) and (len(self.inputs), len(self.outputs)) != (1, 1):
            raise ValueError(f"{Flags.output_key_replaces_input_key} is for one input key and one output key: {self.name}() has "
                             f"{len(self.inputs)} and {len(self.outputs)}")
        for key in self.inputs:
            if key in given:
                raise TypeError(f"{self.name}() is given '{key}', which comes from the vault")
        wanted = list(self.inputs)
        if self.defaults or self.unfilled:
            passed = {*list(self._parameters)[:len(args)], *given}
            wanted += [key for key in self.defaults if key not in passed]
            missing = [name for name in self.unfilled if name not in passed]
            if missing:
                raise TypeError(f"{self.name}() expects {', '.join(missing)} from a vault, and no vault has such a key")
        values = self.vault.get_multiple(wanted, *self.flags)
        arguments = {**given, **{str(key): value for key, value in values.items()}}
        self.vault._log(logging.DEBUG, "calling %s with %s", self, arguments, flags=self.flags)
        return arguments

    # --- after the call ---

    def _failed(self) -> None:
        if not self.has(Flags.no_error_logging):
            self.vault._log(logging.ERROR, "%s failed", self, error=True, flags=self.flags)

    def _store(self, result: Any) -> None:
        if not self.outputs:
            return
        if self.has(Flags.clean_output_keys):
            self.vault._clean(self.outputs)
            return
        replaces = self.inputs[0] if self.has(Flags.output_key_replaces_input_key) else None
        self.vault._insert(self._values_of(result), self.flags, replaces)

    def _values_of(self, result: Any) -> Dict[Key, Any]:
        if isinstance(result, MiniVault):
            values = dict(result)
            if self.has(Flags.split_output_keys):
                values = {key: value for key, value in values.items() if key in self.outputs}
            missing = [key for key in self.outputs if key not in values]
            if missing and not self.has(Flags.output_key_can_be_missing):
                raise KeyError(f"{self.name}() returned no value for {', '.join(missing)}")
            surplus = [key for key in values if key not in self.outputs]
            if surplus:
                raise KeyError(f"{self.name}() returned values for {', '.join(surplus)}, which are not its output keys")
            return values
        if self.has(Flags.split_output_keys) or self.has(Flags.output_key_can_be_missing):
            raise ValueError(f"{self.name}() must return a MiniVault, because its flags leave open which values it returns")
        if len(self.outputs) == 1:
            key = self.outputs[0]
            if isinstance(result, tuple) and key.valid_type is not tuple and not self.has(Flags.return_tuple_is_single_item):
                raise ValueError(f"{self.name}() returned a tuple of {len(result)} for '{key}', whose type is not tuple; if the "
                                 f"tuple is the value, say so with {Flags.return_tuple_is_single_item}")
            return {key: result}
        if not isinstance(result, tuple) or len(result) != len(self.outputs):
            raise ValueError(f"{self.name}() has {len(self.outputs)} output keys, and returned {result!r}")
        return dict(zip(self.outputs, result))

    def __str__(self) -> str:
        return f"{getattr(self.function, '__module__', '')}.{self.name}"


def _as_tuple(keys: Keys) -> Tuple[Key, ...]:
    if keys is None:
        return ()
    return (keys,) if isinstance(keys, Key) else tuple(keys)

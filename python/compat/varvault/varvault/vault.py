# SPDX-License-Identifier: Apache-2.0
"""The vault: values under typed keys, and functions whose arguments come from it and whose results go there."""

from __future__ import annotations

import functools
import inspect
import logging
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type, Union

import threadgroup_core

from .flags import Flags
from .keyring import AssignedByVault, Key, Keyring
from .minivault import MiniVault
from .resource import BaseResource

Keys = Union[Key, Sequence[Key], None]


class _Bound:
    """A function and the keys that it is bound to."""

    def __init__(self, vault: "VarVault", function: Callable[..., Any], inputs: Tuple[Key, ...],
                 outputs: Tuple[Key, ...], flags: Tuple[Flags, ...],
                 condition: Optional[Callable[[], Any]] = None, threaded: bool = False) -> None:
        self.vault = vault
        self.function = function
        self.inputs = inputs
        self.outputs = outputs
        self.flags = flags
        self.condition = condition
        self.threaded = threaded
        self.name = getattr(function, "__name__", type(function).__name__)

    def has(self, flag: Flags) -> bool:
        return flag in self.flags

    def arguments(self, given: Dict[str, Any]) -> Dict[str, Any]:
        for key in self.inputs:
            if key in given:
                raise TypeError(f"{self.name}() is given '{key}', which comes from the vault")
        return {**given, **self.vault._inputs(self)}

    def call(self, *args: Any, **kwargs: Any) -> Any:
        arguments = self.arguments(kwargs)
        self.vault._log(logging.DEBUG, "calling %s with %s", self, arguments)
        try:
            result = self.function(*args, **arguments)
        except Exception:
            self.failed()
            raise
        self.store(result)
        return result

    async def call_async(self, *args: Any, **kwargs: Any) -> Any:
        arguments = self.arguments(kwargs)
        try:
            result = await self.function(*args, **arguments)
        except Exception:
            self.failed()
            raise
        self.store(result)
        return result

    def failed(self) -> None:
        if not self.has(Flags.no_error_logging):
            self.vault._log(logging.ERROR, "%s failed", self, error=True)

    def store(self, result: Any) -> None:
        if self.has(Flags.output_key_replaces_input_key) and (len(self.inputs), len(self.outputs)) != (1, 1):
            raise ValueError(f"If {Flags.output_key_replaces_input_key} is defined, you MUST define exactly one input key "
                             f"and one output key.")
        if self.outputs:
            self.vault._store(self, self.values_of(result))

    def values_of(self, result: Any) -> Dict[Key, Any]:
        if self.has(Flags.clean_output_keys):
            return {key: key.empty_value() for key in self.outputs}
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
        elif self.has(Flags.split_output_keys) or self.has(Flags.output_key_can_be_missing):
            raise TypeError(f"{self.name}() must return a MiniVault, for its flags leave open which values it returns")
        elif len(self.outputs) == 1:
            if isinstance(result, tuple) and not self.has(Flags.return_tuple_is_single_item):
                raise ValueError(f"{self.name}() returned a tuple of {len(result)} for one key; if the tuple is the value, "
                                 f"say so with {Flags.return_tuple_is_single_item}")
            values = {self.outputs[0]: result}
        else:
            if not isinstance(result, tuple) or len(result) != len(self.outputs):
                raise ValueError(f"{self.name}() has {len(self.outputs)} output keys, and returned {result!r}")
            values = dict(zip(self.outputs, result))
        if self.has(Flags.return_values_cannot_be_none):
            for key, value in values.items():
                if value is None:
                    raise ValueError(f"{self.name}() returned None for '{key}'")
        return values

    def __str__(self) -> str:
        return f"{getattr(self.function, '__module__', '')}.{self.name}"


class VarVault:
    """Values under the keys of a keyring.

    A key is written once, unless modifications are permitted. All methods may be called from any thread; user code
    (functions, conditions, validators) runs with no lock held.
    """

    def __init__(self, *flags: Flags, keyring: Optional[Type[Keyring]] = None, name: Optional[str] = None,
                 resource: Optional[BaseResource] = None, logger: Optional[logging.Logger] = None,
                 initial_vars: Optional[Dict[Key, Any]] = None, **extra_keys: Key) -> None:
        if Flags.clean_output_keys in flags:
            raise ValueError(f"{Flags.clean_output_keys} for a whole vault would clean whatever any function returns")
        for key_name, key in extra_keys.items():
            if not isinstance(key, Key):
                raise ValueError(f"Extra keys must be of type Key. Faulty keys that must be changed: {[key_name]}")
        self.name = name or "vault"
        self.flags = flags
        self.keys: Dict[str, Key] = {**(keyring.get_keys() if keyring is not None else {}),
                                     **{str(k): k for k in extra_keys.values()}}
        self.resource = resource
        self.logger: Optional[logging.Logger] = None
        if Flags.disable_logger not in flags:
            self.logger = logger or logging.getLogger(f"varvault.{self.name}")
            if Flags.debug in flags and Flags.silent not in flags:
                self.logger.setLevel(logging.DEBUG)
                self.logger.addHandler(logging.StreamHandler())
        self._lock = threading.Lock()  # guards the four below; no user code runs under it
        self._write_lock = threading.Lock()  # a later state is never overwritten by an earlier one
        self._values: Dict[Key, Any] = dict(initial_vars or {})
        self._automatic: List[_Bound] = []
        self._group: Optional[threadgroup_core.ThreadGroup] = None
        self._state = resource.state() if resource is not None else None

    # --- looking ---

    def __contains__(self, key: Key) -> bool:
        if not isinstance(key, Key):
            raise TypeError(f"a vault contains keys of type Key, not {type(key).__name__}")
        self._reload()
        with self._lock:
            return key in self._values

    def get(self, key: Key, default: Any = None) -> Any:
        """The value of the key, or the default."""
        self._known(key)
        self._reload()
        with self._lock:
            return self._values.get(key, default)

    def get_multiple(self, keys: Sequence[Key], *flags: Flags) -> MiniVault:
        """The values of these keys. KeyError if one is missing, unless that is permitted."""
        for key in keys:
            self._known(key)
        self._reload()
        with self._lock:
            missing = [key for key in keys if key not in self._values]
            if missing and Flags.input_key_can_be_missing not in (*self.flags, *flags):
                raise KeyError(f"the vault has no value for {', '.join(missing)}")
            return MiniVault({key: self._values.get(key) for key in keys})

    @property
    def writable_args(self) -> Dict[Key, Any]:
        """What is kept in the resource."""
        with self._lock:
            values = dict(self._values)
        return {k: v for k, v in values.items() if self.resource is not None and self.resource.writable(k, v)}

    def __repr__(self) -> str:
        with self._lock:
            return f"<VarVault {self.name} {self._values!r}>"

    # --- writing ---

    def insert(self, key: Key, value: Any, *flags: Flags) -> None:
        """Give the key a value. KeyError if it has one, unless modifications are permitted."""
        self._put({key: value}, (*self.flags, *flags))

    def insert_multiple(self, values: Dict[Key, Any], *flags: Flags) -> None:
        """The same for several keys at once: functions that wait for them see all or none."""
        self._put(values, (*self.flags, *flags))

    def _put(self, values: Dict[Key, Any], flags: Tuple[Flags, ...], replaces: Optional[Key] = None) -> None:
        for key, value in values.items():
            self._known(key)
            if Flags.return_values_cannot_be_none in flags and value is None:
                raise ValueError(f"the value for '{key}' is None")
            if Flags.clean_output_keys not in flags or value is not None:
                key.check(value)
        with self._lock:
            existing = [key for key in values if key in self._values]
            if existing and not {Flags.permit_modifications, Flags.clean_output_keys}.intersection(flags):
                raise KeyError(f"Key {existing[0]} already exists in the vault")
            self._values.update(values)
            if replaces is not None:
                self._values.pop(replaces, None)
            ready = [bound for bound in self._automatic if any(key in values for key in bound.inputs)
                     and all(key in self._values for key in bound.inputs)]
        self._write()
        for bound in ready:
            self._start(bound)

    def _store(self, bound: _Bound, values: Dict[Key, Any]) -> None:
        replaced = bound.inputs[0] if bound.has(Flags.output_key_replaces_input_key) else None
        self._put(values, bound.flags, replaced)

    # --- binding ---

    def manual(self, *flags: Flags, input: Keys = None, output: Keys = None) -> Callable[[Callable[..., Any]], Any]:
        """A decorator: called, the function gets its input keys as keyword arguments, and what it returns goes to its
        output keys."""

        def wrap(function: Callable[..., Any]) -> Any:
            bound = self._bind(function, input, output, flags)
            call = bound.call_async if inspect.iscoroutinefunction(function) else bound.call
            if inspect.iscoroutinefunction(function):
                @functools.wraps(function)
                async def wrapper(*args: Any, **kwargs: Any) -> Any:
                    return await call(*args, **kwargs)
            else:
                @functools.wraps(function)
                def wrapper(*args: Any, **kwargs: Any) -> Any:
                    return call(*args, **kwargs)
            return wrapper

        return wrap

    def vaulter(self, *flags: Flags, input_keys: Keys = None,
                return_keys: Keys = None) -> Callable[[Callable[..., Any]], Any]:
        """``manual`` by its older name."""
        return self.manual(*flags, input=input_keys, output=return_keys)

    def automatic(self, *flags: Flags, input: Keys = None, output: Keys = None,
                  condition: Optional[Callable[[], Any]] = None,
                  threaded: bool = False) -> Callable[[Callable[..., Any]], Any]:
        """A decorator: the function runs by itself once all its input keys have values, and again when one is replaced, if
        the condition is true then. Threaded, it runs as a task of the vault's group; ``await_running_tasks`` waits for it."""

        def wrap(function: Callable[..., Any]) -> Any:
            if inspect.iscoroutinefunction(function):
                raise ValueError("Async subscriber functions do not work because async functions cannot truly run in the "
                                 f"background. Use {VarVault.automatic.__name__} with 'threaded=True' instead.")
            bound = self._bind(function, input, output, flags, condition, threaded)
            with self._lock:
                self._automatic.append(bound)
                ready = bool(bound.inputs) and all(key in self._values for key in bound.inputs)
            if ready:
                self._start(bound)

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return bound.call(*args, **kwargs)

            return wrapper

        return wrap

    def _start(self, bound: _Bound) -> None:
        if bound.condition is not None and not bound.condition():
            return
        if bound.threaded:
            self._own_group().add_named_task(bound.name, bound.call)
        else:
            bound.call()

    def _own_group(self) -> threadgroup_core.ThreadGroup:
        with self._lock:
            if self._group is None:
                self._group = threadgroup_core.ThreadGroup(self.name)
            return self._group

    @property
    def running_tasks(self) -> List[threadgroup_core.RunningTask]:
        """The threaded functions that run now."""
        with self._lock:
            group = self._group
        return group.wait_idle(0).running if group is not None else []

    def await_running_tasks(self, timeout: Optional[float] = None,
                            exception: Optional[BaseException] = None) -> threadgroup_core.JoinResult:
        """Wait for the threaded functions, and raise what they raised. After the timeout raise the exception, if one is
        given, else say so in the result."""
        with self._lock:
            group = self._group
        if group is None:
            return threadgroup_core.JoinResult()
        result = group.join(timeout)
        if not result and exception is not None:
            raise exception
        return result

    # --- below ---

    def _bind(self, function: Callable[..., Any], inputs: Keys, outputs: Keys, flags: Tuple[Flags, ...],
              condition: Optional[Callable[[], Any]] = None, threaded: bool = False) -> _Bound:
        all_flags = (*self.flags, *flags)
        ins, outs = _as_tuple(inputs), _as_tuple(outputs)
        parameters = inspect.signature(function).parameters
        if not ins and Flags.use_signature_for_input_keys in all_flags:
            ins = tuple(self.keys[name] for name in parameters if name in self.keys)
        for key in (*ins, *outs):
            self._known(key)
        if set(ins) & set(outs):
            raise KeyError(f"input and output cannot contain the same keys: {sorted(set(ins) & set(outs))}")
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        unknown = [key for key in ins if key not in parameters and not takes_any]
        if unknown:
            raise TypeError(f"{function.__name__}() has no parameter for its input key {', '.join(unknown)}")
        unfilled = [n for n, p in parameters.items() if p.default is AssignedByVault and n not in ins]
        if unfilled:
            raise TypeError(f"{function.__name__}() expects {', '.join(unfilled)} from the vault, but not as an input key")
        return _Bound(self, function, ins, outs, all_flags, condition, threaded)

    def _inputs(self, bound: _Bound) -> Dict[str, Any]:
        return {str(key): value for key, value in self.get_multiple(bound.inputs, *bound.flags).items()}

    def _known(self, key: Key) -> None:
        if not isinstance(key, Key):
            raise TypeError(f"a key is of type Key, not {type(key).__name__}: {key!r}")
        if key not in self.keys:
            raise KeyError(f"the key '{key}' is not in the keyring of vault '{self.name}'")

    def _write(self) -> None:
        if self.resource is None or self.resource.read_only or Flags.vault_is_read_only in self.flags:
            return
        with self._write_lock:
            self.resource.write(self.writable_args)
            with self._lock:
                self._state = self.resource.state()

    def _reload(self) -> None:
        resource = self.resource
        if resource is None or not (resource.live_update or Flags.live_update in self.flags):
            return
        state = resource.state()
        with self._lock:
            if state is None or state == self._state:
                return
            self._state = state
        values = _read(resource, self.keys, (*self.flags, Flags.ignore_keys_not_in_keyring))
        with self._lock:
            self._values.update(values)

    def _log(self, level: int, message: str, *args: Any, error: bool = False) -> None:
        if self.logger is None or (level < logging.ERROR and Flags.silent in self.flags):
            return
        self.logger.log(level, message, *args, exc_info=error)


def _as_tuple(keys: Keys) -> Tuple[Key, ...]:
    if keys is None:
        return ()
    return (keys,) if isinstance(keys, Key) else tuple(keys)


def _read(resource: BaseResource, keys: Dict[str, Key], flags: Tuple[Flags, ...]) -> Dict[Key, Any]:
    loaded = resource.read()
    unknown = [name for name in loaded if name not in keys]
    if unknown and not resource.read_only and Flags.ignore_keys_not_in_keyring not in flags:
        raise ValueError(f"{resource!r} holds keys that are not in the keyring: {unknown}")
    values = {keys[name]: value for name, value in loaded.items() if name in keys}
    for key, value in values.items():
        key.check(value)
    return values


def create(*flags: Flags, keyring: Optional[Type[Keyring]] = None, name: Optional[str] = None,
           resource: Optional[BaseResource] = None, logger: Optional[logging.Logger] = None,
           **extra_keys: Key) -> VarVault:
    """Make a vault. With a resource that is there already, and whose mode is not ``w``, it begins with what that holds."""
    vault = VarVault(*flags, keyring=keyring, name=name, resource=resource, logger=logger, **extra_keys)
    if resource is not None and resource.loads and (resource.exists() or resource.read_only):
        vault._values.update(_read(resource, vault.keys, flags))
    return vault


def create_vault(varvault_keyring: Type[Keyring], varvault_vault_name: str, *flags: Flags,
                 varvault_resource_to: Optional[BaseResource] = None,
                 varvault_specific_logger: Optional[logging.Logger] = None, **extra_keys: Key) -> VarVault:
    """``create`` by its older name: a vault that begins empty."""
    return VarVault(*flags, keyring=varvault_keyring, name=varvault_vault_name, resource=varvault_resource_to,
                    logger=varvault_specific_logger, **extra_keys)


def from_vault(varvault_keyring: Type[Keyring], varvault_vault_name: str, varvault_resource_from: BaseResource,
               *flags: Flags, varvault_resource_to: Optional[BaseResource] = None,
               varvault_specific_logger: Optional[logging.Logger] = None, **extra_keys: Key) -> VarVault:
    """A vault that begins with what a resource holds, and is kept in another one or in none."""
    vault = VarVault(*flags, keyring=varvault_keyring, name=varvault_vault_name, resource=varvault_resource_to,
                     logger=varvault_specific_logger, **extra_keys)
    vault._values.update(_read(varvault_resource_from, vault.keys, flags))
    if varvault_resource_to is None and Flags.live_update in flags:
        vault.resource = varvault_resource_from
        vault.flags = (*flags, Flags.vault_is_read_only)
    return vault

# SPDX-License-Identifier: Apache-2.0
"""The vault: values under typed keys, and functions that follow one another through them."""

from __future__ import annotations

import inspect
import logging
import warnings
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Type

import threadgroup_core
from threadgroup_core import _plain

from .binding import Bound, Keys
from .flags import Flags, checked
from .keyring import Key, Keyring
from .minivault import MiniVault
from .resource import BaseResource


class VarVault:
    """Values under the keys of a keyring.

    A key is written once, unless modifications are permitted. All methods may be called from any thread; functions, conditions,
    validators and modifiers run with no lock held. Only the methods of a resource, and what checks the values of one that is read again,
    run under a lock, which orders reads and writes; the same thread may use the vault meanwhile.
    """

    def __init__(self, *flags: Flags, keyring: Optional[Type[Keyring]] = None, name: Optional[str] = None,
                 resource: Optional[BaseResource] = None, logger: Optional[logging.Logger] = None,
                 initial_vars: Any = None, **extra_keys: Key) -> None:
        if Flags.clean_output_keys in checked(flags):
            raise ValueError(f"{Flags.clean_output_keys} for a whole vault would clean whatever any function returns")
        faulty = [key_name for key_name, key in extra_keys.items() if not isinstance(key, Key)]
        if faulty:
            raise ValueError(f"Extra keys must be of type Key. Faulty keys that must be changed: {faulty}")
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
        self._lock = _plain.Lock()  # guards the four below; no foreign code runs under it
        self._values: Dict[Key, Any] = {}
        self._writable: Dict[Key, Any] = {}
        self._automatic: List[Bound] = []
        self._group: Optional[threadgroup_core.ThreadGroup] = None
        # What is in memory changes together with what is in the resource: neither a write nor a reload brings back an older state.
        self._io_lock = _plain.RLock()
        self._set(dict(initial_vars or {}))

    # --- looking ---

    def __contains__(self, key: Key) -> bool:
        if not isinstance(key, Key):
            raise TypeError(f"a vault contains keys of type Key, not {type(key).__name__}")
        if key not in self.keys:
            warnings.warn(f"'{key}' is not defined in the keyring: the vault '{self.name}' will never contain it", stacklevel=2)
            return False
        with self._lock:
            return key in self._values

    def get(self, key: Any, *flags: Flags, default: Any = None) -> Any:
        """The value of the key, or a MiniVault for a list or tuple of keys.

        KeyError if there is none, unless that is permitted (``Flags.input_key_can_be_missing``): then the default.
        """
        if isinstance(key, (list, tuple)):
            return self.get_multiple(key, *flags)
        if not isinstance(key, Key):
            raise NotImplementedError(f"Type {type(key).__name__} is not supported for the 'get' method: give a key, or a list")
        return self._get_all([key], flags).get(key, default)

    def get_multiple(self, keys: Sequence[Key], *flags: Flags) -> MiniVault:
        """The values of these keys. KeyError if one is missing, unless that is permitted: then None."""
        found = self._get_all(keys, flags)
        return MiniVault({key: found.get(key) for key in keys})

    def _get_all(self, keys: Sequence[Key], flags: Tuple[Flags, ...]) -> Dict[Key, Any]:
        flags = self._all_flags(flags)
        for key in keys:
            self._known(key)
        self._reload()
        with self._lock:
            found = {key: self._values[key] for key in keys if key in self._values}
        missing = [key for key in keys if key not in found]
        if missing and Flags.input_key_can_be_missing not in flags:
            givers = sorted({function for key in missing for function in self.keys[key].usages.as_return})
            raise KeyError(f"the vault '{self.name}' has no value for {', '.join(missing)}"
                           + (f"; {', '.join(givers)} would give one" if givers else ""))
        return found

    @property
    def writable_args(self) -> Dict[Key, Any]:
        """What is kept in the resource."""
        with self._lock:
            return dict(self._writable)

    def __repr__(self) -> str:
        with self._lock:
            return f"<VarVault {self.name} {self._values!r}>"

    # --- writing ---

    def insert(self, key: Key, value: Any, *flags: Flags) -> None:
        """Give the key a value. KeyError if it has one, unless modifications are permitted."""
        self._insert({key: value}, self._all_flags(flags))

    def insert_minivault(self, mini: Dict[Key, Any], *flags: Flags) -> None:
        """The same for several keys at once: functions that wait for them see all or none."""
        self._insert(mini, self._all_flags(flags))

    insert_multiple = insert_minivault

    def _insert(self, given: Dict[Key, Any], flags: Tuple[Flags, ...], replaces: Optional[Key] = None) -> None:
        values: Dict[Key, Any] = {}
        for key, value in given.items():
            self._known(key)
            if Flags.return_values_cannot_be_none in flags and value is None:
                raise ValueError(f"'{key}' was to get None, which {Flags.return_values_cannot_be_none} forbids")
            value = key.run_modifiers(value)
            key.check(value)
            values[key] = value
        for bound in self._put(values, replaces, Flags.permit_modifications in flags):
            self._start(bound)

    def _clean(self, keys: Iterable[Key]) -> None:
        self._put({key: key.empty_value() for key in keys}, None, True)

    def _put(self, values: Dict[Key, Any], replaces: Optional[Key], may_modify: bool) -> List[Bound]:
        """Store and write the values, and return the functions that they make ready."""
        with self._io_lock:
            kept = self._kept(values)
            with self._lock:
                existing = [key for key in values if key in self._values]
                if existing and not may_modify:
                    raise KeyError(f"Key {existing[0]} already exists in the vault")
                self._store(values, kept)
                if replaces is not None:
                    self._values.pop(replaces, None)
                    self._writable.pop(replaces, None)
                ready = [b for b in self._automatic if any(key in values for key in b.inputs) and self._is_ready(b)]
                writable = dict(self._writable)
            self._write(writable)
        return ready

    def _set(self, values: Dict[Key, Any]) -> None:
        """Take values that are in the resource already, or that a new vault begins with."""
        kept = self._kept(values)
        with self._lock:
            self._store(values, kept)

    def _kept(self, values: Dict[Key, Any]) -> Dict[Key, Any]:
        resource = self.resource
        return {k: v for k, v in values.items() if resource is not None and resource.writable({k: v})}

    def _store(self, values: Dict[Key, Any], kept: Dict[Key, Any]) -> None:
        self._values.update(values)
        for key in values:
            self._writable.pop(key, None)
        self._writable.update(kept)

    # --- binding ---

    def manual(self, *flags: Flags, input: Keys = None, output: Keys = None) -> Callable[[Callable[..., Any]], Any]:
        """A decorator: called, the function gets its input keys as keyword arguments, and what it returns goes to its output keys.

        A parameter whose default is AssignedByVault gets the value of the key of its name, unless the caller passes one.
        """
        all_flags = self._all_flags(flags)

        def wrap(function: Callable[..., Any]) -> Any:
            return Bound(self, function, input, output, all_flags).wrapper()

        return wrap

    def vaulter(self, *flags: Flags, input_keys: Keys = None,
                return_keys: Keys = None) -> Callable[[Callable[..., Any]], Any]:
        """``manual`` by its older name."""
        return self.manual(*flags, input=input_keys, output=return_keys)

    def lambdavaulter(self, function: Callable[..., Any], *flags: Flags, input_keys: Keys = None,
                      output_keys: Keys = None) -> Callable[..., Any]:
        """``manual`` for a lambda."""
        bound: Callable[..., Any] = self.manual(*flags, input=input_keys, output=output_keys)(function)
        return bound

    def automatic(self, *flags: Flags, input: Keys = None, output: Keys = None,
                  condition: Optional[Callable[[], Any]] = None,
                  threaded: bool = False) -> Callable[[Callable[..., Any]], Any]:
        """A decorator: the function runs by itself once all its input keys have values, if the condition is true then; at once
        if they have, or if it has none.

        It does not run while all its output keys have values, unless ``Flags.auto_run_regardless_of_key_status`` is set: then it
        also runs again when an input is replaced. Threaded, it runs as a task of the vault's group; ``await_running_tasks`` waits
        for it.
        """
        all_flags = self._all_flags(flags)

        def wrap(function: Callable[..., Any]) -> Any:
            if inspect.iscoroutinefunction(function):
                raise ValueError(f"{function.__name__} is a coroutine function, which only a caller can await: bind it with "
                                 f"manual, or make it a plain function and set threaded=True")
            bound = Bound(self, function, input, output, all_flags, condition, True, threaded)
            with self._lock:
                self._automatic.append(bound)
                ready = self._is_ready(bound)
            if ready:
                self._start(bound)
            return bound.wrapper()

        return wrap

    def _is_ready(self, bound: Bound) -> bool:
        """Under the lock."""
        done = bool(bound.outputs) and all(key in self._values for key in bound.outputs)
        return all(key in self._values for key in bound.inputs) and (
            not done or bound.has(Flags.auto_run_regardless_of_key_status))

    def _start(self, bound: Bound) -> None:
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
        """Wait for the threaded functions, and raise what they raised. After the timeout raise the exception, or TimeoutError."""
        with self._lock:
            group = self._group
        if group is None:
            return threadgroup_core.JoinResult()
        result = group.join(timeout)
        if result.timed_out:
            raise exception or TimeoutError(f"the functions of vault '{self.name}' were to end within {timeout} s: {result}")
        return result

    # --- below ---

    def _all_flags(self, flags: Tuple[Flags, ...]) -> Tuple[Flags, ...]:
        return (*self.flags, *checked(flags))

    def _known(self, key: Key) -> None:
        if not isinstance(key, Key):
            raise TypeError(f"a key is of type Key, not {type(key).__name__}: {key!r}")
        if key not in self.keys:
            raise KeyError(f"the key '{key}' is not in the keyring of vault '{self.name}'")

    def _write(self, values: Dict[Key, Any]) -> None:
        resource = self.resource
        if resource is None or Flags.vault_is_read_only in self.flags:
            return
        if resource.mode_properties.read_only:
            if not resource.mode_properties.live_update:
                warnings.warn(f"the resource of vault '{self.name}' is read-only: what was inserted stays in memory", stacklevel=5)
            return
        resource.write({str(key): value for key, value in values.items()})

    def _reload(self) -> None:
        resource = self.resource
        if resource is None or not (resource.mode_properties.live_update or Flags.live_update in self.flags):
            return
        with self._io_lock:
            if not resource.resource_has_changed():
                return
            try:
                self._set(resource.create_mv(**self.keys))
            except BaseException:
                resource.cached_state = None  # the next look fails, too: what is in memory is not what is in the resource
                raise

    def _log(self, level: int, message: str, *args: Any, error: bool = False, flags: Tuple[Flags, ...] = ()) -> None:
        if self.logger is None or (level < logging.ERROR and Flags.silent in (*self.flags, *flags)):
            return
        self.logger.log(level, message, *args, exc_info=error)

# SPDX-License-Identifier: Apache-2.0
"""Where a vault is kept between runs."""

from __future__ import annotations

import abc
import enum
import inspect
import os
import warnings
from typing import Any, Dict, Optional, Union

from threadgroup_core import _plain

from .keyring import Key
from .minivault import MiniVault
from .vaultstructs import VaultStructBase


class ResourceModes(enum.Enum):
    """The modes by name; their letters will do as well."""

    READ = "r"
    WRITE = "w"
    APPEND = "a"
    READ_W_LIVE_UPDATE = "r+"
    WRITE_W_LIVE_UPDATE = "w+"
    APPEND_W_LIVE_UPDATE = "a+"


class ModeProperties:
    """What a mode means. It cannot be changed: the mode of a resource is fixed when it is made."""

    read_only: bool
    """Nothing is written."""
    live_update: bool
    """The resource is read again when it has changed."""
    create: bool
    """The resource is made if it is not there."""
    load: bool
    """A vault begins with what is there."""
    write: bool

    def __init__(self, mode: str) -> None:
        letter = mode[0]
        vars(self).update(read_only=letter == "r", live_update=mode.endswith("+"), create=letter != "r", load=letter != "w",
                          write=letter != "r")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("ModeProperties are immutable")

    def __repr__(self) -> str:
        return f"ModeProperties({', '.join(f'{name}={value}' for name, value in vars(self).items())})"


class ResourceNotFoundError(FileNotFoundError):
    """The resource does not exist, or cannot be read or written."""

    def __init__(self, msg: str, resource: Optional["BaseResource"] = None) -> None:
        super().__init__(msg)
        self.msg = msg
        self.resource = resource


_CREATE = {"r": "read_mode", "w": "write_mode", "a": "append_mode", "r+": "read_live_update_mode",
           "w+": "write_live_update_mode", "a+": "append_live_update_mode"}


class BaseResource(abc.ABC):
    """Keeps a dictionary somewhere.

    Modes: ``r`` read, never write (the default); ``w`` start afresh; ``a`` read what is there and go on; each with ``+`` for
    reading again when the resource has changed and a value is asked for.
    """

    def __init__(self, path: Any, mode: Union[str, ResourceModes] = "r") -> None:
        self.mode: str = mode.value if isinstance(mode, ResourceModes) else mode
        if self.mode not in _CREATE:
            raise ValueError(f"Invalid mode: {mode}; it is one of {', '.join(_CREATE)}")
        self.raw_path: Any = expanded(path)
        self.mode_properties = ModeProperties(self.mode)
        self.last_known_state: Any = None
        self.cached_state: Any = None
        self.lock = _plain.Lock()
        if self.mode == "r" and not self.exists():
            raise ResourceNotFoundError(f"Resource not found at: {self.raw_path}", self)

    # --- what each kind of resource says ---

    @property
    @abc.abstractmethod
    def resource(self) -> Any:
        """The open resource; false if it has not been made or found yet."""

    @property
    @abc.abstractmethod
    def path(self) -> Any: ...

    @property
    @abc.abstractmethod
    def state(self) -> Any:
        """Something that is another value after a change."""

    @abc.abstractmethod
    def exists(self) -> bool: ...

    @abc.abstractmethod
    def writable(self, obj: Dict[str, Any]) -> bool:
        """Whether this can be kept. What cannot stays in memory only."""

    @abc.abstractmethod
    def do_write(self, vault: Dict[str, Any]) -> None: ...

    @abc.abstractmethod
    def do_read(self) -> Dict[str, Any]: ...

    # --- how it is made or found, by mode ---

    def read_mode(self) -> None:
        if not self.exists():
            raise ResourceNotFoundError(f"Unable to read from resource at {self.raw_path}: it is not there", self)

    def write_mode(self) -> None:
        self.do_write({})

    def append_mode(self) -> None:
        if not self.exists():
            self.do_write({})

    def read_live_update_mode(self) -> None:
        pass

    def write_live_update_mode(self) -> None:
        self.write_mode()

    def append_live_update_mode(self) -> None:
        self.append_mode()

    def create(self) -> None:
        """Make or find the resource, as the mode says."""
        getattr(self, _CREATE[self.mode])()

    # --- reading and writing ---

    def write(self, vault: Dict[str, Any]) -> None:
        if self.mode_properties.read_only:
            warnings.warn("Tried to write to a resource defined as read-only: nothing was written", stacklevel=2)
            return
        if not self.resource:
            self.create()
        with self.lock:
            try:
                self.do_write(vault)
            except Exception as error:
                raise ResourceNotFoundError(f"Failed to write to the resource: {self.raw_path}: {error}", self) from error
            self.update_state()

    def read(self) -> Dict[str, Any]:
        """What it holds; nothing if it is not there and may yet appear."""
        if not self.resource:
            self.create()
        with self.lock:
            if not self.exists():
                if self.mode_properties.live_update:
                    return {}
                raise ResourceNotFoundError(f"Resource not found at: {self.raw_path}", self)
            try:
                # The state is that from before: what changes meanwhile is read again.
                self.last_known_state = self.state
                values = self.do_read()
            except Exception as error:
                raise ResourceNotFoundError(f"Failed to read from the resource {self.raw_path}: {error}", self) from error
            self.update_state(fetch_state=False)
        return values

    def create_mv(self, **keys: Key) -> MiniVault:
        """What it holds under these keys, as values of their types."""
        return self.build_mv(self.read(), keys)

    @staticmethod
    def build_mv(data: Dict[str, Any], keys: Dict[str, Key]) -> MiniVault:
        if not isinstance(data, dict):
            raise ValueError(f"a resource holds a dictionary, not a {type(data).__name__}")
        mini = MiniVault()
        for name, value in data.items():
            key = keys.get(name)
            if key is None:
                continue
            if inspect.isclass(key.valid_type) and issubclass(key.valid_type, VaultStructBase):
                value = key.valid_type.create(name, value)
            key.check(value)
            mini[key] = value
        return mini

    def resource_has_changed(self) -> bool:
        """Whether it has, since it was read or written."""
        self.last_known_state = self.state if self.exists() else None
        return bool(self.cached_state != self.last_known_state)

    def update_state(self, fetch_state: bool = True) -> None:
        """Take the present state as known."""
        if fetch_state:
            self.last_known_state = self.state if self.exists() else None
        self.cached_state = self.last_known_state

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw_path!r}, mode={self.mode!r})"


def expanded(path: Any) -> Any:
    """A path with the home folder and the variables of the environment put in; anything else as it is."""
    if isinstance(path, (str, os.PathLike)):
        return os.path.expanduser(os.path.expandvars(os.fspath(path)))
    return path

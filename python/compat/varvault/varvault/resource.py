# SPDX-License-Identifier: Apache-2.0
"""Where a vault is kept between runs."""

from __future__ import annotations

import abc
import json
import os
import tempfile
import threading
from typing import Any, Dict


class ResourceNotFoundError(FileNotFoundError):
    """The resource does not exist, or cannot be read or written."""


class BaseResource(abc.ABC):
    """Keeps a dictionary somewhere.

    Modes: ``r`` read, never write; ``w`` start afresh; ``a`` read what is there and go on (the default); each with ``+``
    for reading again when the resource changes.
    """

    def __init__(self, path: Any, mode: str = "a") -> None:
        if mode.rstrip("+") not in ("r", "w", "a"):
            raise ValueError(f"the mode is r, w or a, with or without +, not {mode!r}")
        self.path = os.path.expanduser(os.path.expandvars(os.fspath(path)))
        self.mode = mode
        self.lock = threading.Lock()

    @property
    def loads(self) -> bool:
        return not self.mode.startswith("w")

    @property
    def read_only(self) -> bool:
        return self.mode.startswith("r")

    @property
    def live_update(self) -> bool:
        return self.mode.endswith("+")

    @abc.abstractmethod
    def exists(self) -> bool: ...

    @abc.abstractmethod
    def state(self) -> Any:
        """Something that is another value after a change."""

    @abc.abstractmethod
    def writable(self, name: str, value: Any) -> bool:
        """Whether this value can be kept. What cannot stays in memory only."""

    @abc.abstractmethod
    def do_write(self, values: Dict[str, Any]) -> None: ...

    @abc.abstractmethod
    def do_read(self) -> Dict[str, Any]: ...

    def write(self, values: Dict[str, Any]) -> None:
        with self.lock:
            self.do_write(values)

    def read(self) -> Dict[str, Any]:
        with self.lock:
            try:
                return self.do_read()
            except OSError as error:
                raise ResourceNotFoundError(f"cannot read {self.path}: {error}") from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r}, mode={self.mode!r})"


class JsonResource(BaseResource):
    """A JSON file. It is replaced as a whole: a reader sees the old content or the new one."""

    def exists(self) -> bool:
        return os.path.exists(self.path)

    def state(self) -> Any:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def writable(self, name: str, value: Any) -> bool:
        try:
            json.dumps({name: value})
        except (TypeError, ValueError):
            return False
        return True

    def do_write(self, values: Dict[str, Any]) -> None:
        folder = os.path.dirname(os.path.abspath(self.path))
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".vault-")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(values, file, indent=2)
            os.replace(temporary, self.path)
        except BaseException:
            os.unlink(temporary)
            raise

    def do_read(self) -> Dict[str, Any]:
        with open(self.path) as file:
            values = json.load(file)
        if not isinstance(values, dict):
            raise ValueError(f"{self.path} does not hold a JSON object")
        return values

# SPDX-License-Identifier: Apache-2.0
"""A vault's resource that is a JSON file."""

from __future__ import annotations

import json
import os
import secrets
from typing import Any, Dict, Union

from .resource import BaseResource, ResourceModes, expanded


class JsonResource(BaseResource):
    """A JSON file. It is replaced as a whole: a reader sees the old content or the new one.

    A relative path is resolved when the resource is made. Where there is no file but one of that name with ``.bak``, which varvault
    leaves when it is interrupted, that one is read.
    """

    def __init__(self, path: Any, mode: Union[str, ResourceModes] = "r") -> None:
        self._file: str = os.path.abspath(expanded(path))
        super().__init__(path, mode)

    @property
    def backup(self) -> str:
        """The file that varvault writes before it takes the place of the old one."""
        return f"{self._file}.bak"

    @property
    def path(self) -> Any:
        return self.raw_path

    @property
    def resource(self) -> Any:
        return self.raw_path if self.exists() and not (self.mode_properties.write and self._is_backup()) else None

    def exists(self) -> bool:
        return os.path.exists(self._readable())

    @property
    def state(self) -> Any:
        status = os.stat(self._readable())
        return status.st_mtime_ns, status.st_size, status.st_ino

    def writable(self, obj: Dict[str, Any]) -> bool:
        try:
            json.dumps(obj)
        except (TypeError, ValueError, RecursionError):
            return False
        return True

    def append_mode(self) -> None:
        if self._is_backup():
            os.replace(self.backup, self._file)
        super().append_mode()

    def do_write(self, vault: Dict[str, Any]) -> None:
        target = os.path.realpath(self._file)
        folder = os.path.dirname(target)
        os.makedirs(folder, exist_ok=True)
        temporary = os.path.join(folder, f".vault-{os.getpid()}-{secrets.token_hex(8)}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "w") as file:
                if os.path.exists(target):
                    os.chmod(temporary, os.stat(target).st_mode & 0o7777)
                json.dump(vault, file, indent=2)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise

    def do_read(self) -> Dict[str, Any]:
        with open(self._readable()) as file:
            values = json.load(file)
        if not isinstance(values, dict):
            raise ValueError(f"{self._file} does not hold a JSON object")
        return values

    def _is_backup(self) -> bool:
        return not os.path.exists(self._file) and os.path.exists(self.backup)

    def _readable(self) -> str:
        return self.backup if self._is_backup() else self._file

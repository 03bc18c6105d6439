# SPDX-License-Identifier: Apache-2.0
"""What ``threading`` shows for a worker while it runs Python tasks."""

import threading


class WorkerThread(threading._DummyThread):  # type: ignore[name-defined, misc]
    """The ``threading.Thread`` of a worker: it has a name, and it is listed as long as it serves a group.

    Workers belong to the library: they are reused, daemonic, and cannot be joined one by one.
    """

    def _serve(self, name: str) -> None:
        self._name = name
        threading._active[self._ident] = self  # type: ignore[attr-defined]

    def _leave(self) -> None:
        threading._active.pop(self._ident, None)  # type: ignore[attr-defined]

    def join(self, timeout: "float | None" = None) -> None:
        raise RuntimeError("a worker of a group cannot be joined; join the group")

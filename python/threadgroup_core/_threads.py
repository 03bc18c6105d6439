# SPDX-License-Identifier: Apache-2.0
"""What ``threading`` shows for a worker."""

import threading


class WorkerThread(threading._DummyThread):  # type: ignore[name-defined, misc]
    """The ``threading.Thread`` of a worker, named after the group that it serves or served last.

    It is listed as long as that group lives, also while it is idle. Workers belong to the library: they are reused,
    daemonic, and cannot be joined one by one.
    """

    def join(self, timeout: "float | None" = None) -> None:
        raise RuntimeError("a worker of a group cannot be joined; join the group")

# SPDX-License-Identifier: Apache-2.0
"""What ``threading`` shows for a worker."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    _Thread = threading.Thread
else:
    _Thread = threading._DummyThread  # that of a thread which `threading` has not started


class WorkerThread(_Thread):
    """The ``threading.Thread`` of a worker, named after the group that it serves or served last.

    It is listed as long as that group lives, also while it is idle. Workers belong to the library: they are reused,
    daemonic, and cannot be joined one by one.
    """

    def join(self, timeout: "float | None" = None) -> None:
        raise RuntimeError("a worker of a group cannot be joined; join the group")

# SPDX-License-Identifier: Apache-2.0
"""Python's own locks and sleep, for the code of this package.

``blocking.install`` replaces those of ``threading`` and ``time``, but a stop must not end the waits of the package's own code. The
originals are taken when the package is imported, which is before `install` can be called.
"""

import _thread
import time
from typing import Any

Lock: Any = _thread.allocate_lock
RLock: Any = vars(_thread)["RLock"]
sleep = time.sleep

# SPDX-License-Identifier: Apache-2.0
"""What several files of tests use."""

import threading

import varvault
from threadgroup_core import ThreadGroup


class Blocked:
    """A group with a bound of one whose only slot is taken until `go` is set."""

    def __init__(self, **options):
        self.go, begun = threading.Event(), threading.Event()
        self.group = ThreadGroup("g", 1, **options)
        self.running = self.group.add_task(lambda: (begun.set(), self.go.wait())[1])
        begun.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go.set()
        self.group.wait_idle()


class Ring(varvault.Keyring):
    a = varvault.Key("a", valid_type=str)
    b = varvault.Key("b", valid_type=str)
    c = varvault.Key("c", valid_type=str)
    n = varvault.Key("n", valid_type=int, can_be_none=True)

# SPDX-License-Identifier: Apache-2.0
"""What the replacements of the standard library's blocking calls cost when nothing waits: nanoseconds of processor time a call, median of 7 runs.

Usage: ./dev python-bench, or build/python-env/bin/python bench/python/blocking.py.
"""

import os
import queue
import select
import socket
import statistics
import threading
import time

from threadgroup_core import ThreadGroup, blocking

CALLS = 5_000


def measure(call):
    def once():
        begin = time.thread_time()
        for _ in range(CALLS):
            call()
        return (time.thread_time() - begin) / CALLS * 1e9

    return statistics.median(once() for _ in range(7))


def cases():
    one, other = socket.socketpair()
    ends = os.pipe()
    lock, rlock, items, simple, event = threading.Lock(), threading.RLock(), queue.Queue(), queue.SimpleQueue(), threading.Event()
    event.set()

    def send_and_receive():
        one.send(b"x")
        other.recv(1)

    def write_and_read():
        os.write(ends[1], b"x")
        os.read(ends[0], 1)

    def with_lock():
        with lock:
            pass

    def with_rlock():
        with rlock:
            pass

    def put_and_get():
        items.put(1)
        items.get()

    def put_and_get_simple():
        simple.put(1)
        simple.get()

    return {
        "sleep(0)": lambda: time.sleep(0),
        "socket.send and recv": send_and_receive,
        "os.write and read": write_and_read,
        "select of what is ready": lambda: select.select([], [one], []),
        "with Lock": with_lock,
        "with RLock": with_rlock,
        "Event.wait, set": event.wait,
        "Queue.put and get": put_and_get,
        "SimpleQueue.put and get": put_and_get_simple,
    }


def main():
    before = {name: measure(call) for name, call in cases().items()}
    with blocking.install(), ThreadGroup("bench", 1) as group:
        outside = {name: measure(call) for name, call in cases().items()}
        inside = group.add_task(lambda: {name: measure(call) for name, call in cases().items()}).get()
    print(f"{'ns a call':26}{'originals':>12}{'outside':>12}{'in a task':>12}")
    for name in before:
        print(f"{name:26}{before[name]:12.0f}{outside[name]:12.0f}{inside[name]:12.0f}")


if __name__ == "__main__":
    main()

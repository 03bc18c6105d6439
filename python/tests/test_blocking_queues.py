# SPDX-License-Identifier: Apache-2.0
"""The simple queue: each item reaches a consumer, whatever else happens in the same moment."""

import itertools
import queue
import sys
import threading

import pytest

from blocking_cases import BlockedCall, wait_until, waits
from threadgroup_core import ThreadGroup, WaitInterrupted, blocking

CODE_OF_QUEUES = blocking.SimpleQueue.get.__code__.co_filename


class Stepped:
    """A task that pauses before the n-th line of the queue's code that it comes to, until `go` is set."""

    def __init__(self, call, n):
        self.pauses, self.go, self._left = threading.Event(), threading.Event(), n
        self.group = ThreadGroup("stepped", 1)
        self.handle = self.group.add_task(self._run, call)
        wait_until(lambda: self.pauses.is_set() or self.has_ended_or_waits())

    def has_ended_or_waits(self):
        return self.handle.done() or waits(self.group)

    def _run(self, call):
        sys.settrace(self._trace)
        try:
            return call()
        finally:
            sys.settrace(None)

    def _trace(self, frame, event, arg):
        if frame.f_code.co_filename != CODE_OF_QUEUES:
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                self.pauses.set()
                self.go.wait()
        return self._trace

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.group.set_event()
        self.go.set()
        self.group.wait_idle()


def test_two_consumers_get_two_items_wherever_each_of_them_is_delayed():
    def two_delayed_at(first_line, second_line):
        items = blocking.SimpleQueue()
        items.put(1)
        with Stepped(items.get, first_line) as first, Stepped(items.get, second_line) as second:
            items.put(2)
            first.go.set()
            wait_until(first.has_ended_or_waits)
            second.go.set()
            assert {first.handle.get(5), second.handle.get(5)} == {1, 2}, (first_line, second_line)
            return first.pauses.is_set(), second.pauses.is_set()

    for first_line in itertools.count(1):
        for second_line in itertools.count(1):
            first_paused, second_paused = two_delayed_at(first_line, second_line)
            if not second_paused:
                break
        if not first_paused:
            break
    assert first_line > 3


def test_each_item_reaches_one_of_several_consumers():
    producers, consumers, items_each = 2, 4, 3

    def produce(items, first):
        for number in range(first, items_each * consumers, producers):
            items.put(number)

    def consume(items, got):
        for _ in range(items_each):
            got.append(items.get(timeout=20))

    with ThreadGroup("users", producers + consumers) as group:
        for _ in range(100):
            items, got = blocking.SimpleQueue(), []
            for _ in range(consumers):
                group.post(consume, items, got)
            for number in range(producers):
                group.post(produce, items, number)
            group.join(20)
            assert sorted(got) == list(range(items_each * consumers)) and items.empty()


def test_a_stopped_consumer_takes_no_item_from_another_one():
    for _ in range(100):
        items = blocking.SimpleQueue()
        stopped, other = BlockedCall(items.get), BlockedCall(items.get)
        with ThreadGroup("producer", 1) as group:
            group.post(items.put, 1)
            stopped.group.set_event()
            group.join()
        assert stopped.handle.wait(20)
        if stopped.handle.exception() is None:
            items.put(1)  # the item came first
        assert other.handle.get(20) == 1


def test_an_item_whose_put_was_interrupted_is_seen():
    items = blocking.SimpleQueue()

    class Interrupted:
        def release(self):
            raise KeyboardInterrupt

    items._looks = Interrupted()
    items._waiters.append(None)
    with pytest.raises(KeyboardInterrupt):
        items.put(1)
    assert items.qsize() == 1 and items.get() == 1 and items.empty()


@pytest.mark.parametrize("raised", [KeyboardInterrupt, WaitInterrupted, queue.Empty])
def test_a_look_of_an_interrupted_consumer_goes_to_the_next_one(raised):
    items = blocking.SimpleQueue()
    looks = items._looks

    class Interrupted:
        def _acquire_one(self, timeout):
            looks._acquire_one(timeout)
            raise raised

        def release(self):
            looks.release()

    waiting = BlockedCall(items.get)
    items._looks = Interrupted()
    looks.release(2)  # by the first one it finds nothing, and is interrupted when it has taken the second one
    with pytest.raises(raised):
        waiting.handle.get(20)
    waiting.group.wait_idle()
    items._looks = looks
    assert looks.available() == 1
    items.put(1)
    assert items.get() == 1


def test_a_consumer_that_is_interrupted_as_it_begins_to_wait_leaves_nothing_behind():
    class Interrupted(list):
        def append(self, waiter):
            super().append(waiter)
            raise KeyboardInterrupt

    items = blocking.SimpleQueue()
    items._waiters = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        items.get(timeout=20)
    assert not items._waiters

# SPDX-License-Identifier: Apache-2.0
"""Waiting for the first of several things."""

import os
import sys
import threading
import time

import pytest

import threadgroup_core as core
from threadgroup_core import (Channel, Selected, StopScope, ThreadGroup, WaitOutcome, after, handle_done, otherwise, readable,
                              receive_from, select, send_to, when_event_set, writable)


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_what_is_possible_at_once_is_done():
    empty, items = Channel(1), Channel(1)
    items.send(7)
    chosen = select(receive_from(empty), receive_from(items, lambda item: item + 1))
    assert chosen and chosen == Selected(WaitOutcome.READY, 1, 8)
    assert select(receive_from(items), send_to(empty, "sent", lambda: "f")) == Selected(WaitOutcome.READY, 1, "f")
    assert select(receive_from(empty)).value == "sent"
    assert empty.size() == items.size() == 0


def test_a_function_that_raises_is_passed_on():
    items = Channel(1)
    items.send(0)
    with pytest.raises(ZeroDivisionError):
        select(receive_from(items, lambda item: 1 / item))


def test_time_and_nothing_at_all():
    empty, full = Channel(1), Channel(0)
    chosen = select(receive_from(empty), send_to(full, 1), after(0.01))
    assert not chosen and chosen.outcome is WaitOutcome.TIMED_OUT and chosen.index == 2
    assert select(after(0.01, lambda: "late"), after(1000)) == Selected(WaitOutcome.READY, 0, "late")
    assert select(receive_from(empty), otherwise(lambda: "none")) == Selected(WaitOutcome.READY, 1, "none")


def test_a_closed_channel_is_reported():
    empty = Channel(1)
    empty.close()
    assert select(receive_from(empty), after(1000)) == Selected(WaitOutcome.CLOSED, 0, None)
    assert select(send_to(empty, 1), otherwise()).index == 1


@pytest.mark.parametrize("where", ["main", "task"])
def test_each_kind_of_case_wakes_the_waiter(where, pipe):
    group = ThreadGroup("g", 8)

    def woken_by(case, act):
        channel, box = Channel(0), []

        def wait():
            return select(receive_from(channel), case)

        def later():
            time.sleep(0.05)
            act()

        if where == "main":
            thread = threading.Thread(target=later)
            thread.start()
            box.append(wait())
            thread.join()
        else:
            handle = group.add_task(wait)
            later()
            box.append(handle.get())
        assert box[0].outcome is WaitOutcome.READY and box[0].index == 1
        return box[0].value

    channel, other, go = Channel(0), ThreadGroup("other"), threading.Event()
    assert woken_by(receive_from(channel), lambda: channel.send(7)) == 7
    received = []
    woken_by(send_to(channel, 8), lambda: received.append(channel.receive()))
    assert received == [8]
    woken_by(readable(pipe[0]), lambda: os.write(pipe[1], b"x"))
    woken_by(handle_done(other.add_task(go.wait)), go.set)
    woken_by(when_event_set(other), other.set_event)
    assert select(writable(pipe[1])).index == 0


@pytest.mark.parametrize("with_descriptor", [False, True])
@pytest.mark.parametrize("where", ["main", "task"])
def test_a_stop_ends_the_wait(where, with_descriptor, pipe):
    channel = Channel(0)
    cases = [receive_from(channel), send_to(channel, 1)] + [readable(pipe[0])] * with_descriptor
    if where == "main":
        with StopScope(0.05):
            assert select(*cases) == Selected(WaitOutcome.EVENT_SET, None, None)
            assert select(*cases) == Selected(WaitOutcome.EVENT_SET, None, None), "at once"
    else:
        group, begun = ThreadGroup("g"), threading.Event()
        handle = group.add_task(lambda: (begun.set(), select(*cases))[1])
        begun.wait()
        group.set_event()
        assert handle.get().outcome is WaitOutcome.EVENT_SET


def test_an_item_that_is_not_sent_stays_the_callers():
    class Item:
        pass

    item, full = Item(), Channel(0)
    before = sys.getrefcount(item)
    for _ in range(3):
        select(send_to(full, item), after(0.001))
        select(send_to(full, item), otherwise())
    assert sys.getrefcount(item) == before


def test_many_selects_share_two_channels_and_nothing_is_lost():
    a, b, group = Channel(2), Channel(0), ThreadGroup("g", 8)

    def send(number):
        for i in range(200):
            assert select(send_to(a, (number, i)), send_to(b, (number, i)))

    def receive():
        items = []
        while True:
            chosen = select(receive_from(a), receive_from(b))
            if not chosen:
                return items + list(a)  # one is closed; the other may have something left
            items.append(chosen.value)

    receivers = [group.add_task(receive) for _ in range(3)]
    for handle in [group.add_task(send, n) for n in range(3)]:
        handle.get()
    a.close()
    b.close()
    received = sorted(item for handle in receivers for item in handle.get())
    assert received == [(n, i) for n in range(3) for i in range(200)]


def test_misuse_raises(pipe):
    with pytest.raises(TypeError):
        select()
    with pytest.raises(TypeError, match="receive_from"):
        select(1)
    for wrong in (lambda: select(receive_from(1)), lambda: select(handle_done(1)), lambda: select(readable("x")),
                  lambda: select(when_event_set(1))):
        with pytest.raises(TypeError):
            wrong()


def test_a_bound_holds_in_the_whole_subtree():
    running, most, lock = [], [], threading.Lock()

    def work():
        with lock:
            running.append(1)
            most.append(len(running))
        time.sleep(0.001)
        with lock:
            running.pop()

    def branch():
        with ThreadGroup("branch", 4) as inner:
            for _ in range(5):
                inner.post(work)

    with ThreadGroup("root", 8, max_concurrent_in_subtree=2) as root:
        for _ in range(4):
            root.post(branch)
    assert max(most) <= 2 and len(most) == 20
    with pytest.raises(ValueError):
        ThreadGroup("g", max_concurrent_in_subtree=0)

# SPDX-License-Identifier: Apache-2.0
"""Channels: items are delivered once and in order, and each wait can be stopped."""

import gc
import os
import sys
import threading
import time
import weakref

import pytest

import threadgroup_core as core
from threadgroup_core import Channel, ChannelClosed, StopScope, ThreadGroup, WaitOutcome, thread_utils


def full():
    channel = Channel(1)
    assert channel.send("x")
    return channel


@pytest.mark.parametrize("capacity", [0, 1, 7])
def test_each_item_arrives_once_and_those_of_a_sender_in_order(capacity):
    channel, group = Channel(capacity), ThreadGroup("g", 8)

    def send(number):
        for i in range(200):
            assert channel.send((number, i)) is WaitOutcome.READY

    received = [group.add_task(list, channel) for _ in range(3)]
    sent = [group.add_task(send, number) for number in range(3)]
    for handle in sent:
        handle.get()
    channel.close()
    lists = [handle.get() for handle in received]
    for one in lists:
        for number in range(3):
            mine = [i for n, i in one if n == number]
            assert mine == sorted(mine)
    assert sorted(item for one in lists for item in one) == [(n, i) for n in range(3) for i in range(200)]


def test_what_is_left_is_received_after_close():
    channel = Channel(3)
    for i in (1, None, 3):
        channel.send(i)
    channel.close()
    channel.close()
    assert channel.is_closed() and channel.size() == 3 and channel.capacity() == 3
    assert channel.send(4) is WaitOutcome.CLOSED and not channel.try_send(4)
    assert channel.receive() == 1
    assert list(channel) == [None, 3]
    with pytest.raises(ChannelClosed):
        channel.receive()
    assert channel.try_receive() is None and channel.try_receive(5) == 5


def test_calls_that_do_not_wait():
    channel = Channel(1)
    assert channel.try_send(1) and not channel.try_send(2)
    assert channel.try_receive("none") == 1 and channel.try_receive("none") == "none"
    assert channel.send(1, 0) is WaitOutcome.READY and channel.send(2, timeout=0) is WaitOutcome.TIMED_OUT
    assert channel.receive(0) == 1
    with pytest.raises(TimeoutError):
        channel.receive(timeout=0)


@pytest.mark.parametrize("make, wait", [
    (full, lambda channel: channel.send("y") is WaitOutcome.EVENT_SET),
    (lambda: Channel(0), lambda channel: channel.send("y") is WaitOutcome.EVENT_SET),
    (lambda: Channel(1), lambda channel: list(channel) == []),
    (lambda: Channel(1), lambda channel: pytest.raises(core.WaitInterrupted, channel.receive)),
])
@pytest.mark.parametrize("where", ["task", "main"])
def test_a_stop_ends_the_wait(make, wait, where):
    channel = make()
    if where == "main":
        with StopScope(0.02):
            assert wait(channel)
            assert wait(channel), "at once"
    else:
        group, begun = ThreadGroup("g"), threading.Event()
        handle = group.add_task(lambda: (begun.set(), wait(channel))[1])
        begun.wait()
        group.set_event()
        assert handle.get()
    assert channel.size() == (1 if make is full else 0)


def test_the_time_of_a_wait_is_up():
    assert full().send("y", 0.01) is WaitOutcome.TIMED_OUT
    with pytest.raises(TimeoutError):
        Channel(0).receive(0.01)


def test_close_wakes_those_who_wait():
    empty, busy, group = Channel(1), full(), ThreadGroup("g")
    begun = threading.Barrier(3)
    receives = group.add_task(lambda: (begun.wait(), list(empty))[1])
    sends = group.add_task(lambda: (begun.wait(), busy.send("y"))[1])
    begun.wait()
    empty.close()
    busy.close()
    assert receives.get() == [] and sends.get() is WaitOutcome.CLOSED


def test_the_main_thread_meets_another():
    channel, group = Channel(0), ThreadGroup("g")
    echo = Channel(0)

    def task():
        for item in channel:
            echo.send(item + 1)

    group.post(task)
    for i in range(50):
        assert channel.send(i)
        assert echo.receive() == i + 1
    channel.close()
    group.join()


def test_the_channel_owns_what_it_holds_and_nothing_else():
    class Item:
        pass

    channel, item = Channel(2), Item()
    before = sys.getrefcount(item)
    assert channel.send(item)
    assert sys.getrefcount(item) == before + 1
    assert channel.receive() is item
    assert sys.getrefcount(item) == before
    channel.send(item)
    channel.send(item)
    assert channel.send(item, 0.001) is WaitOutcome.TIMED_OUT and not channel.try_send(item)
    assert sys.getrefcount(item) == before + 2
    del channel
    assert sys.getrefcount(item) == before


def test_a_cycle_through_a_channel_is_collected():
    class Item:
        pass

    channel, item = Channel(2), Item()
    item.channel = channel
    channel.send(item)
    gone = weakref.ref(item)
    del channel, item
    gc.collect()
    assert gone() is None


def test_an_item_may_go_while_others_use_the_channel():
    """Objects go on threads that come and go, and the collector looks at them meanwhile."""
    channel, group = Channel(4), ThreadGroup("g", 8)
    for _ in range(4):
        group.post(lambda: [channel.send([object(), channel]) for _ in range(200)])
    readers = [group.add_task(lambda: sum(1 for _ in channel)) for _ in range(3)]
    for _ in range(10):
        gc.collect()
        time.sleep(0.001)
    while group.statistics.succeeded < 4:
        time.sleep(0.001)
    channel.close()
    assert sum(handle.get() for handle in readers) == 800


def test_a_forked_child_is_told_that_the_channel_is_its_parents(run_program):
    result = run_program("""
        import os
        from threadgroup_core import Channel, ForkedError
        channel = Channel(1)
        channel.send(object())
        child = os.fork()
        if child == 0:
            try:
                channel.receive()
            except ForkedError:
                del channel
                os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert (result.stdout, result.stderr) == ("7\n", "")


def test_misuse_raises():
    for wrong in (lambda: Channel(), lambda: Channel("1"), lambda: Channel(1).send(), lambda: Channel(1).receive("soon")):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError):
        Channel(-1)
    assert Channel[int]


def test_channels_that_are_left_at_the_end_of_the_program(run_program):
    result = run_program("""
        import threading, threadgroup_core as core
        channel, group = core.Channel(1), core.ThreadGroup("g")
        channel.send(object())
        group.post(channel.send, object())
        group.post(lambda: list(core.Channel(0)))
        threading.Thread(target=core.Channel(0).receive, daemon=True).start()
        print("end")
    """)
    assert (result.returncode, result.stdout) == (0, "end\n"), result.stderr

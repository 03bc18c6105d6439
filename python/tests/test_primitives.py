# SPDX-License-Identifier: Apache-2.0
"""Mutex, Semaphore, RateLimiter, every, and groups with a limit of pending tasks."""

import signal
import threading
import time

import pytest

import threadgroup_core as core
from threadgroup_core import Mutex, RateLimiter, Semaphore, ThreadGroup, WaitOutcome, every, thread_utils


def locked():
    mutex = Mutex()
    thread = threading.Thread(target=mutex.lock)
    thread.start()
    thread.join()
    return mutex


def emptied():
    limiter = RateLimiter(0.001, 1)
    assert limiter.try_acquire()
    return limiter


# Waits that end only if the caller is stopped.
WAITS = {
    "Mutex.event_aware_lock": (locked, lambda mutex: mutex.event_aware_lock()),
    "Semaphore.acquire": (lambda: Semaphore(1), lambda semaphore: semaphore.acquire(2)),
    "RateLimiter.acquire": (emptied, lambda limiter: limiter.acquire()),
    "every": (lambda: every(1000), lambda ticks: next(ticks, WaitOutcome.EVENT_SET)),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_stop_ends_the_wait_of_a_task(name, wait_until_in):
    make, wait = WAITS[name]
    made, box = make(), []

    def task():
        box.append(threading.current_thread())
        return wait(made)

    group = ThreadGroup("g")
    handle = group.add_task(task)
    while not box:  # other threads go on meanwhile: this one does
        time.sleep(0.001)
    assert group.set_event("enough")
    assert handle.get() is WaitOutcome.EVENT_SET
    assert not handle.get()


@pytest.mark.parametrize("name", WAITS)
def test_a_wait_that_begins_in_a_stopped_task_ends_at_once(name):
    make, wait = WAITS[name]
    group = ThreadGroup("g")

    def task():
        thread_utils.set_event()
        return wait(make())

    assert group.add_task(task).get() is WaitOutcome.EVENT_SET


def test_a_wait_ends_with_its_time():
    assert locked().event_aware_lock(0.01) is WaitOutcome.TIMED_OUT
    assert Semaphore(0).acquire(timeout=0.01) is WaitOutcome.TIMED_OUT
    assert Semaphore(0).acquire(1, 0) is WaitOutcome.TIMED_OUT
    assert emptied().acquire(timeout=0.01) is WaitOutcome.TIMED_OUT


def test_a_mutex_lets_one_thread_in_at_a_time():
    mutex, group, inside, total = Mutex(), ThreadGroup("g", 8), [], []

    def task():
        for _ in range(50):
            with mutex:
                inside.append(1)
                time.sleep(0)  # gives the interpreter's lock away
                assert len(inside) == 1
                inside.pop()
                total.append(1)

    for _ in range(8):
        group.post(task)
    group.join()
    assert len(total) == 400


def test_a_stop_does_not_end_lock():
    mutex, group, begun = Mutex(), ThreadGroup("g"), threading.Event()
    mutex.lock()

    def task():
        begun.set()
        with mutex:
            return thread_utils.event_is_set()

    handle = group.add_task(task)
    begun.wait()
    group.set_event()
    assert not handle.wait(0.05)
    mutex.unlock()
    assert handle.get() is True


def test_misuse_of_a_mutex_raises():
    mutex = Mutex()
    with pytest.raises(RuntimeError, match="not locked"):
        mutex.unlock()
    with mutex:
        assert not mutex.try_lock()
        with pytest.raises(core.DeadlockError):
            mutex.lock()
        with pytest.raises(core.DeadlockError):
            mutex.event_aware_lock()
        group = ThreadGroup("g")
        assert group.add_task(mutex.try_lock).get() is False
    with pytest.raises(RuntimeError, match="not locked"):
        locked().unlock()
    assert mutex.try_lock()
    del mutex  # a locked one may be dropped


def test_a_semaphore_counts_and_serves_in_order(wait_until_in):
    semaphore, order = Semaphore(0), []

    def acquire(permits):
        def wait():
            semaphore.acquire(permits)

        thread = threading.Thread(target=lambda: (wait(), order.append(permits)))
        thread.start()
        wait_until_in_thread(thread, wait)
        return thread

    def wait_until_in_thread(thread, function):
        wait_until_in(thread, function)
        time.sleep(0.02)  # in the line, too: that cannot be seen

    big = acquire(3)
    small = acquire(1)
    semaphore.release(2)
    assert not semaphore.try_acquire(), "it would overtake"
    semaphore.release()
    big.join()
    semaphore.release()
    small.join()
    assert order == [3, 1] and semaphore.available() == 0


def test_a_block_holds_a_permit_and_raises_in_a_stopped_task():
    semaphore, entered = Semaphore(1), []
    with semaphore as same:
        assert same is semaphore and not semaphore.try_acquire()
    assert semaphore.available() == 1

    def task():
        thread_utils.set_event("enough")
        with semaphore:
            entered.append(1)

    group = ThreadGroup("g")
    handle = group.add_task(task)
    assert group.join().counts.stopped == 1
    with pytest.raises(core.WaitInterrupted, match="enough"):
        handle.get()
    assert not entered and semaphore.available() == 1


def test_wrong_numbers_raise():
    for wrong in (lambda: Semaphore(-1), lambda: Semaphore(1).acquire(-1), lambda: RateLimiter(0, 1),
                  lambda: RateLimiter(1, 1).acquire(2), lambda: every(0), lambda: ThreadGroup("g", max_pending=0),
                  lambda: ThreadGroup("g", max_pending=-1)):
        with pytest.raises(ValueError) as raised:
            wrong()
        assert "::" not in str(raised.value)
    with pytest.raises(OverflowError):
        Semaphore(1).release(2**61 - 1)
    for wrong in (lambda: Semaphore(), lambda: Semaphore("1"), lambda: Mutex(1), lambda: every(None),
                  lambda: ThreadGroup("g", max_pending="1")):
        with pytest.raises(TypeError):
            wrong()


def test_a_limiter_lets_its_burst_through_and_then_its_rate():
    limiter, begin = RateLimiter(100, 3), time.monotonic()
    for _ in range(3):
        assert limiter.acquire(timeout=0)
    assert not limiter.try_acquire(3)
    assert limiter.acquire(2)
    assert time.monotonic() - begin >= 0.019


def test_ticks_come_at_a_fixed_rate():
    begin, ticks = time.monotonic(), []
    for tick in every(0.01):
        assert tick <= time.monotonic()
        ticks.append(tick)
        if len(ticks) == 5:
            break
    assert ticks[0] - begin >= 0.01
    steps = [round((after - before) / 0.01, 3) for before, after in zip(ticks, ticks[1:])]
    assert all(step >= 1 and step == int(step) for step in steps), steps


def test_two_threads_do_not_share_ticks(wait_until_in):
    ticks, group = every(1000), ThreadGroup("g")
    threads = []

    def wait():
        next(ticks, None)

    group.post(lambda: (threads.append(threading.current_thread()), wait()))
    while not threads:
        time.sleep(0.001)
    wait_until_in(threads[0], wait)
    with pytest.raises(RuntimeError, match="another thread"):
        next(ticks)
    group.set_event()


# --- The main thread, which looks at signals as it waits ---


@pytest.fixture
def on_alarm():
    before = signal.getsignal(signal.SIGALRM)

    def install(handler, seconds=0.03):
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    yield install
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_handler_runs_during_a_wait_and_may_end_it(on_alarm):
    semaphore = Semaphore(0)
    on_alarm(lambda *_: semaphore.release())
    assert semaphore.acquire(timeout=50) is WaitOutcome.READY


def test_a_handler_may_wait_itself(on_alarm):
    outer, inner = Semaphore(0), Semaphore(0)
    outcomes = []

    def handler(*_):
        outcomes.append(inner.acquire(timeout=0.05))
        outer.release()

    on_alarm(handler)
    assert outer.acquire(timeout=50)
    assert outcomes == [WaitOutcome.TIMED_OUT]


@pytest.mark.parametrize("name", [*WAITS, "Mutex.lock", "with Semaphore", "add_task"])
def test_what_a_handler_raises_ends_the_wait(name, on_alarm):
    go = threading.Event()
    if name == "Mutex.lock":
        make, wait = locked, lambda mutex: mutex.lock()
    elif name == "with Semaphore":
        make, wait = lambda: Semaphore(0), lambda semaphore: semaphore.__enter__()
    elif name == "add_task":
        make, wait = lambda: ThreadGroup("g", 1, max_pending=1), lambda group: [group.add_task(go.wait) for _ in range(3)]
    else:
        make, wait = WAITS[name]
    made = make()

    def handler(*_):
        raise LookupError

    on_alarm(handler)
    with pytest.raises(LookupError):
        wait(made)
    go.set()


def test_the_main_thread_keeps_its_place_in_line_while_it_looks_at_signals(wait_until_in):
    semaphore, order = Semaphore(0), []

    def acquire():
        semaphore.acquire(timeout=50)

    def other():
        wait_until_in(threading.main_thread(), acquire)
        time.sleep(0.01)
        later.start()
        wait_until_in(later, wait)
        time.sleep(0.1)  # several looks
        semaphore.release()

    def wait():
        semaphore.acquire()

    later = threading.Thread(target=lambda: (wait(), order.append("later")))
    helper = threading.Thread(target=other)
    helper.start()
    acquire()
    order.append("main")
    helper.join()
    semaphore.release()
    later.join()
    assert order == ["main", "later"]


# --- max_pending ---


class Full:
    """A group with one running and one pending task, and room for no more."""

    def __enter__(self):
        self.go, begun = threading.Event(), threading.Event()
        self.group = ThreadGroup("g", 1, max_pending=1)
        self.group.post(lambda: (begun.set(), self.go.wait()))
        begun.wait()
        self.pending = self.group.add_task(int)
        return self

    def __exit__(self, *_):
        self.go.set()
        self.group.wait_idle()


def wait_for_adder(group):
    while not group.statistics.waiting_adders:
        time.sleep(0.001)


def test_a_full_group_makes_an_adder_wait():
    with Full() as full:
        assert full.group.try_add_task(int) is None
        added = []

        def add():
            added.append(full.group.add_named_task("late", lambda: 7))
            full.group.post(added.append, 8)

        thread = threading.Thread(target=add)
        thread.start()
        wait_for_adder(full.group)
        assert not added
        full.go.set()
        thread.join()
        assert added[0].name == "late" and added[0].get() == 7
        full.group.join()
        assert added[1] == 8 and full.group.try_add_task(lambda: 9).get() == 9


def test_the_main_thread_waits_for_room():
    with Full() as full:
        helper = threading.Thread(target=lambda: (wait_for_adder(full.group), full.go.set()))
        helper.start()
        assert full.group.add_task(lambda: 7).get() == 7
        helper.join()


def test_a_stopped_adder_gets_a_skipped_handle():
    with Full() as full:
        outer = ThreadGroup("outer")
        handle = outer.add_task(lambda: full.group.add_task(int))
        wait_for_adder(full.group)
        outer.set_event("enough")
        added = handle.get()
        assert added.status is core.TaskStatus.SKIPPED and added.reason.message == "enough"
        assert full.pending.status is core.TaskStatus.PENDING


def test_a_task_that_adds_to_its_own_full_group_goes_on():
    group = ThreadGroup("g", 1, max_pending=1)

    def task():
        return [group.add_task(int, n) for n in range(20)]

    assert [handle.get() for handle in group.add_task(task).get()] == list(range(20))

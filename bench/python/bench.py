# SPDX-License-Identifier: Apache-2.0
"""threadgroup_core and the standard library side by side: medians, spread and ratios of one run.

Usage: bench/python/bench.py [ROUNDS]. The two take turns, so that a busy machine hurts both.
"""

import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import threadgroup_core as core
from threadgroup_core import Executor, ThreadGroup, thread_utils

TASKS = 200_000
WORKERS = 8
SLEEPERS = 1000


def empty():
    pass


def pool_with_results():
    with ThreadPoolExecutor(WORKERS) as pool:
        begin = time.perf_counter()
        for future in [pool.submit(empty) for _ in range(TASKS)]:
            future.result()
        return time.perf_counter() - begin


def half_with_results(executor_type):
    with executor_type(WORKERS) as pool:
        begin = time.perf_counter()
        for future in [pool.submit(empty) for _ in range(TASKS // 2)]:
            future.result()
        return time.perf_counter() - begin


def half_by_pool():
    return half_with_results(ThreadPoolExecutor)


def half_by_executor():
    return half_with_results(Executor)


def group_with_results():
    with ThreadGroup("bench", WORKERS) as group:
        begin = time.perf_counter()
        for handle in [group.add_task(empty) for _ in range(TASKS)]:
            handle.get()
        return time.perf_counter() - begin


def group_with_post():
    with ThreadGroup("bench", WORKERS) as group:
        begin = time.perf_counter()
        for _ in range(TASKS):
            group.post(empty)
        group.join()
        return time.perf_counter() - begin


def wake(start, release):
    """When each of the sleepers was awake again, counted from the signal: of the median one, and of the last."""
    ready, awake = threading.Semaphore(0), []

    def sleeper(sleep):
        ready.release()
        sleep()
        awake.append(time.perf_counter())

    end = start(sleeper)
    for _ in range(SLEEPERS):
        ready.acquire()
    time.sleep(0.3)
    begin = time.perf_counter()
    release()
    end()
    return statistics.median(awake) - begin, max(awake) - begin


def wake_with_event():
    event = threading.Event()

    def start(sleeper):
        threads = [threading.Thread(target=sleeper, args=(lambda: event.wait(1000),)) for _ in range(SLEEPERS)]
        for thread in threads:
            thread.start()
        return lambda: [thread.join() for thread in threads]

    return wake(start, event.set)


def wake_with_group():
    with ThreadGroup("bench", SLEEPERS) as group:

        def start(sleeper):
            for _ in range(SLEEPERS):
                group.post(sleeper, lambda: thread_utils.event_aware_sleep(1000))
            return group.join

        return wake(start, group.set_event)


def median_with_event():
    return wake_with_event()[0]


def median_with_group():
    return wake_with_group()[0]


def last_with_event():
    return wake_with_event()[1]


def last_with_group():
    return wake_with_group()[1]


def notice(wait):
    """How long after the condition has become true the waiter knows."""
    true_at = []

    def task(n):
        time.sleep(0.013 * n + 0.02)
        if n == 5:
            true_at.append(time.perf_counter())

    with ThreadGroup("bench", 8) as group:
        for n in range(8):
            group.post(task, n)
        wait(group, lambda: bool(true_at))
        return time.perf_counter() - true_at[0]


def notice_by_polling():
    def poll(group, condition):
        while not condition():
            time.sleep(0.1)

    return notice(poll)


def notice_by_condition():
    return notice(lambda group, condition: group.wait_for_condition(condition, 10))


PROBLEMS = [
    ("200,000 empty tasks, with results", pool_with_results, group_with_results, 3),
    ("200,000 empty tasks, post", pool_with_results, group_with_post, 4),
    ("100,000 empty tasks with results, Executor", half_by_pool, half_by_executor, 8),
    ("1,000 sleepers woken: the median one", median_with_event, median_with_group, 5),
    ("1,000 sleepers woken: the last one", last_with_event, last_with_group, 5),
    ("condition noticed (polling every 0.1 s)", notice_by_polling, notice_by_condition, 20),
]


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"Python {sys.version.split()[0]}, threadgroup_core {core.__version__}, {rounds} rounds; "
          f"median (least to most) in ms")
    for name, theirs, ours, wanted in PROBLEMS:
        times = {theirs: [], ours: []}
        for _ in range(rounds):
            for run in (theirs, ours):
                times[run].append(run() * 1000)

        def show(run):
            return f"{statistics.median(times[run]):9.2f} ({min(times[run]):.2f} to {max(times[run]):.2f})"

        ratio = statistics.median(times[theirs]) / statistics.median(times[ours])
        goal = f" (wanted: {wanted})" if wanted else ""
        print(f"{name}\n    standard library {show(theirs)}\n    threadgroup_core {show(ours)}\n    ratio {ratio:.1f}{goal}")


if __name__ == "__main__":
    main()

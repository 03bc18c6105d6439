# SPDX-License-Identifier: Apache-2.0
"""The import names threadgroup and threadmanager."""

import threading

import pytest

import threadgroup
import threadgroup_core
import threadmanager
from threadmanager import thread_utils


def test_lists_and_tuples_are_the_arguments_and_anything_else_is_one():
    group = threadmanager.ThreadGroup("g")
    got = []
    for given in ([1, 2], (1, 2), "user", ("x",), 0, {"k": 1}, [], None):
        group.add_task(lambda *a: got.append(a), args=given)
        group.join()
    assert got == [(1, 2), (1, 2), ("user",), ("x",), (0,), ({"k": 1},), (), ()]


def test_ids_of_tasks_are_text():
    group = threadmanager.ThreadGroup("g")
    assert [group.add_task(int), group.add_task(int, task_id="3"), group.add_task(int)] == ["1", "3", "4"]
    assert set(group.join()) == {"1", "3", "4"}


def test_ids_of_tasks_added_by_many_threads_are_different():
    group = threadmanager.ThreadGroup("g", max_concurrent_threads=8)
    seen = []
    for _ in range(8):
        group.add_task(lambda: seen.extend(group.add_task(int) for _ in range(200)))
    assert len(group.join(600)) == 8 + 8 * 200 and len(set(seen)) == 8 * 200


def test_a_join_returns_results_by_task_id():
    group = threadmanager.ThreadGroup("g", max_concurrent_threads=2)
    assert group.add_task(lambda: 1, task_id="one") == "one"
    assert group.add_task(lambda x, y: x + y, args=(1,), kwargs={"y": 1}) == "2"
    result = group.join(600)
    assert result == {"one": 1, "2": 2} and result.done and not result.timed_out
    assert group.return_values == {"one": 1, "2": 2} and group.exceptions == {}
    with pytest.raises(ValueError, match="'one'"):
        group.add_task(int, task_id="one")


def test_a_join_that_times_out_never_pretends():
    go, begun = threading.Event(), threading.Event()
    group = threadmanager.ThreadGroup("g", max_concurrent_threads=1)
    group.add_task(lambda: (begun.set(), go.wait()), task_id="long")
    group.add_task(lambda: 2, task_id="next")
    begun.wait()
    result = group.join(0)
    assert result == {} and result.timed_out and not result.done and result.pending == ["next"]
    assert len(result.running) == 1 and "long" in result.running[0].name
    go.set()
    assert group.join()["next"] == 2


def test_a_join_raises_each_failure_once_or_not_at_all():
    group = threadmanager.ThreadGroup("g")
    group.add_task(lambda: 1 / 0, task_id="bad")
    with pytest.raises(ZeroDivisionError):
        group.join()
    assert group.join().done
    group.add_task(lambda: [][0], task_id="worse")
    result = group.join(ignore_exception=True)
    assert set(result.exceptions) == set(group.exceptions) == {"bad", "worse"}


def test_pending_tasks_are_cleared_and_running_ones_left_alone():
    go, begun = threading.Event(), threading.Event()
    group = threadmanager.ThreadGroup("g", max_concurrent_threads=1)
    group.add_task(lambda: (begun.set(), go.wait())[1], task_id="long")
    begun.wait()
    group.add_task(int, task_id="dropped")
    assert group.clear_pending_tasks_in_queue() == 1
    go.set()
    assert group.join() == {"long": True}


def test_thread_utils_find_the_group_of_the_caller():
    group = threadmanager.ThreadGroup("g")
    group.add_task(thread_utils.event_aware_sleep, args=1000, task_id="sleeper")
    group.add_task(threadmanager.set_event, task_id="setter")
    result = group.join()
    assert result["setter"] is True and result.get("sleeper", False) is False
    assert thread_utils.event_aware_sleep(0) is True


def test_a_task_waits_for_a_condition_of_its_own_group():
    seen = []
    group = threadmanager.ThreadGroup("g")
    group.add_task(seen.append, args=1, task_id="first")
    group.add_task(lambda: bool(threadmanager.wait_for_condition(lambda: seen, 600)), task_id="waiter")
    assert group.join()["waiter"] is True
    assert group.event_is_set()


def test_threadutils_is_the_module_and_takes_the_event_of_another_group():
    from threadmanager import threadutils

    assert threadutils.event_aware_sleep is thread_utils.event_aware_sleep is threadmanager.event_aware_sleep
    other = threadmanager.ThreadGroup("other")
    event = other.get_event()
    assert not event.is_set() and threadutils.event_aware_sleep(0.01, event=event)
    assert threadutils.wait_for_condition(lambda: False, 0.01, event=event) == "timed_out"
    group = threadmanager.ThreadGroup("g")
    group.add_task(lambda: threadutils.event_aware_sleep(1000, event=event), task_id="sleeper")
    assert threadutils.wait_for_condition(lambda: True, 600, event=event) == "condition_met"
    assert group.join(600)["sleeper"] is False and other.event_is_set() and not group.event_is_set()


def test_a_threading_event_can_be_slept_on_and_a_stop_of_the_own_group_ends_that_sleep():
    from threadmanager import threadutils

    event = threading.Event()
    assert threadutils.event_aware_sleep(0.01, event) and not threadutils.wait_for_condition(lambda: 0, 0.01, 0.001, event)
    group = threadmanager.ThreadGroup("g")
    group.add_task(lambda: threadutils.event_aware_sleep(1000, event=event), task_id="sleeper")
    group.add_task(lambda: threadutils.wait_for_condition(lambda: False, 1000, event=event), task_id="waiter")
    group.set_event_for_child_tasks()
    result = group.join(600)
    assert result.done and result.get("sleeper", False) is False and not result.get("waiter") and not event.is_set()
    assert threadutils.wait_for_condition(lambda: True, 1, event=event) and event.is_set()
    assert threadutils.event_aware_sleep(1000, event) is False
    assert threadutils.wait_for_condition(lambda: False, 1000, event=event) == "event_set"


def test_both_faces_hang_in_one_tree():
    group = threadmanager.ThreadGroup("manager")
    inner = threadgroup.ThreadGroup(name="registered")
    paths = []
    inner.register()(lambda: paths.append(threadgroup_core.thread_utils.current_path()))
    group.add_task(inner.execute)
    group.join()
    assert paths == ["MainThread/manager/registered"]


def test_registered_functions_run_with_their_arguments_and_can_be_called_directly():
    group = threadgroup.ThreadGroup()

    @group.register(1, kw=2)
    def f(a, kw=None):
        return a, kw

    assert f(5) == (5, None) and group.executed is False
    assert str(group()) == "[(function=f; result=(1, 2))]" and group.executed
    group.update_fn_args(f, 3)
    assert group.execute()[0].result == (3, None)


def test_two_functions_may_share_a_name():
    group = threadgroup.ThreadGroup(max_workers=1)
    for value in (1, 2):
        @group.register()
        def f(value=value):
            return value
    results = group.execute()
    assert [r.result for r in results.get("f")] == [1, 2]
    assert results.asdict() == {"f": [1, 2]} and str(results) == "[(function=f; result=1), (function=f; result=2)]"


def test_one_failure_leaves_the_other_results_and_is_named():
    group = threadgroup.ThreadGroup()

    @group.register()
    def good():
        return 1

    @group.register()
    def bad():
        raise OSError("disk")

    with pytest.raises(threading.ThreadError, match="disk") as info:
        group.execute()
    assert group.executed and group.get_results().get("good")[0].result == 1
    assert info.value.args[1] is info.value.__cause__ and isinstance(info.value.__cause__, OSError)
    assert "bad" in "".join(getattr(info.value.__cause__, "__notes__", ["bad"]))
    assert group.get_results().asdict() == {"good": [1]}
    assert "failed=OSError('disk')" in str(group.get_results())


def test_several_failures_arrive_as_one_error_that_has_them_all():
    functions = [threadgroup.create_function(lambda: 1 / 0), threadgroup.create_function(lambda: [][0])]
    with pytest.raises(threading.ThreadError) as info:
        threadgroup.threaded_execution(functions)
    assert [type(e) for e in info.value.__cause__.exceptions] == [ZeroDivisionError, IndexError]


def test_a_stop_of_the_caller_is_no_failure_of_a_function():
    begun = threading.Event()
    outer = threadgroup_core.ThreadGroup("outer")

    def wait():
        begun.set()
        threadgroup_core.thread_utils.event_aware_sleep(1000)
        threadgroup_core.thread_utils.throw_if_event_set()

    handle = outer.add_task(threadgroup.threaded_execution, [threadgroup.create_function(wait)])
    begun.wait()
    outer.set_event()
    outer.wait_idle()
    assert handle.status == "stopped"


def test_functions_are_made_from_lists_of_arguments():
    functions = threadgroup.create_functions(pow, [2, 3], [4, 5])
    assert [r.result for r in threadgroup.threaded_execution(functions)] == [16, 243]
    with pytest.warns(UserWarning, match="different lengths"):
        assert len(threadgroup.create_functions(pow, [2, 3], [4])) == 1


def test_futures_are_constructed_run_and_compiled():
    functions = [threadgroup.create_function(pow, 2, n) for n in range(3)]
    with threadgroup_core.Executor(2) as executor:
        futures = [threadgroup.construct_future(executor, f.fn, *f.fn_args) for f in functions]
        results = threadgroup.run_futures(futures)
    assert str(threadgroup.compile_results(functions, results)) == (
        "[(function=pow; result=1), (function=pow; result=2), (function=pow; result=4)]")


def test_coroutine_functions_are_refused():
    async def f():
        pass

    with pytest.raises(TypeError, match="coroutine"):
        threadgroup.create_function(f)

# SPDX-License-Identifier: Apache-2.0
"""What wrong calls raise, what tools see of signatures, and where a stop says it came from."""

import datetime
import inspect
import re

import pytest

import threadgroup_core as core
from threadgroup_core import TaskHandle, ThreadGroup, thread_utils


def done_handle():
    with ThreadGroup("g") as group:
        return group.add_task(int)


VALUE_ERRORS = [
    (lambda: ThreadGroup("g", on_failure="stop"), "on_failure is 'keep_going' or 'set_event', not 'stop'"),
    (lambda: ThreadGroup("g", 0), "max_concurrent_threads is 0"),
    (lambda: ThreadGroup("g", -3), "max_concurrent_threads is -3"),
    (lambda: ThreadGroup("g", time_limit=float("nan")), "cannot be NaN"),
    (lambda: ThreadGroup("g").join(float("nan")), "cannot be NaN"),
    (lambda: ThreadGroup("g").wait_for_condition(int, float("nan")), "cannot be NaN"),
    (lambda: done_handle().get(float("nan")), "cannot be NaN"),
    (lambda: done_handle().wait(timeout=float("nan")), "cannot be NaN"),
    (lambda: thread_utils.event_aware_sleep(float("nan")), "cannot be NaN"),
    (lambda: core.set_exit_grace(float("nan")), "cannot be NaN"),
]

TYPE_ERRORS = [
    (lambda: ThreadGroup(1), "ThreadGroup() argument 1 must be str, not int"),
    (lambda: ThreadGroup("g", "many"), "'str' object cannot be interpreted as an integer"),
    (lambda: ThreadGroup("g", 1, True), "ThreadGroup() takes at most 2 positional arguments (3 given)"),
    (lambda: ThreadGroup(bound=1), "'bound' is an invalid keyword argument for ThreadGroup()"),
    (lambda: ThreadGroup("g", on_failure=1), "must be str, not int"),
    (lambda: ThreadGroup("g", time_limit="soon"), "must be real number, not str"),
    (lambda: ThreadGroup("g").join("soon"), "must be real number, not str"),
    (lambda: ThreadGroup("g").join(1, 2), "join() takes at most 1 argument (2 given)"),
    (lambda: ThreadGroup("g").set_event(1), "set_event() argument 1 must be str, not int"),
    (lambda: ThreadGroup("g").wait_for_condition(), "wait_for_condition() missing required argument 'predicate'"),
    (lambda: ThreadGroup("g").wait_for_condition(3), "the predicate is not callable: 3"),
    (lambda: ThreadGroup("g").add_named_task(1, int), "add_named_task() argument 1 must be str, not int"),
    (lambda: done_handle().get("soon"), "must be real number, not str"),
    (lambda: done_handle().get(1, 2), "get() takes at most 1 argument (2 given)"),
    (lambda: done_handle().get(timeuot=1), "get() got an unexpected keyword argument 'timeuot'"),
    (lambda: thread_utils.event_aware_sleep(), "event_aware_sleep() missing required argument 'duration'"),
    (lambda: thread_utils.event_aware_sleep("long"), "must be real number, not str"),
    (lambda: core.set_unseen_failure_handler(3), "the handler is not callable: 3"),
    (lambda: TaskHandle(), "cannot create"),
]


@pytest.mark.parametrize("call, says", VALUE_ERRORS)
def test_a_wrong_value_is_a_value_error(call, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        call()


@pytest.mark.parametrize("call, says", TYPE_ERRORS)
def test_a_wrong_call_is_a_type_error_in_the_words_of_python(call, says):
    with pytest.raises(TypeError, match=re.escape(says)) as info:
        call()
    assert "pybind" not in str(info.value) and "tg::" not in str(info.value) and "std::" not in str(info.value)


def test_a_group_without_init_says_so():
    class Careless(ThreadGroup):
        def __init__(self):
            pass

    for call in (lambda g: g.join(), lambda g: g.post(int), lambda g: g.name, lambda g: g.set_event()):
        with pytest.raises(RuntimeError, match=re.escape("ThreadGroup.__init__() was not called")):
            call(Careless())
    assert "without" in repr(Careless())


def test_a_group_can_be_derived_from_and_has_attributes():
    class Named(ThreadGroup):
        def __init__(self, label):
            super().__init__(f"group of {label}", 2)
            self.label = label

    with Named("x") as group:
        group.other = 5
        assert group.add_task(lambda: 1).get() == 1 and group.name == "group of x"
        assert vars(group) == {"label": "x", "other": 5}


PUBLIC = [getattr(owner, name) for owner in (ThreadGroup, TaskHandle, thread_utils, core) for name in sorted(vars(owner))
          if not name.startswith("_") and callable(getattr(owner, name))
          and getattr(getattr(owner, name), "__module__", "threadgroup_core").startswith("threadgroup_core")]


@pytest.mark.parametrize("function", PUBLIC, ids=lambda f: f.__qualname__)
def test_everything_public_has_a_signature(function):
    if inspect.isclass(function) and issubclass(function, BaseException):
        return
    inspect.signature(function)


def test_signatures_name_the_arguments_and_their_defaults():
    shown = {f.__name__: str(inspect.signature(f)) for f in
             (ThreadGroup, ThreadGroup.join, ThreadGroup.add_task, TaskHandle.get, core.set_exit_grace)}
    assert shown == {
        "ThreadGroup": "(name='', max_concurrent_threads=32, *, daemon=False, on_failure='keep_going', time_limit=None, "
                       "max_pending=None, max_concurrent_in_subtree=None)",
        "join": "(self, /, timeout=None)",
        "add_task": "(self, fn, /, *args, **kwargs)",
        "get": "(self, /, timeout=None)",
        "set_exit_grace": "(seconds)",
    }


def test_a_reason_names_the_python_file_and_line_that_set_the_event():
    def line():
        return inspect.currentframe().f_back.f_lineno

    reasons = []
    group = ThreadGroup("g")
    group.set_event("enough"); at = line()  # noqa: E702
    reasons.append((group.reason, at))

    group = ThreadGroup("g")
    group.post(lambda: thread_utils.set_event("found")); at = line()  # noqa: E702
    group.join()
    reasons.append((group.reason, at))

    group = ThreadGroup("g")
    group.wait_for_condition(lambda: True); at = line()  # noqa: E702
    reasons.append((group.reason, at))

    with pytest.raises(LookupError):
        with ThreadGroup("g") as group:
            raise LookupError
    for reason, at in reasons:
        assert (reason.file, reason.line) == (__file__, at)
        assert str(reason).endswith(f"(test_arguments.py:{at})")
    assert group.reason.file == __file__ and ".cpp" not in str(group.reason)


def test_a_reason_set_through_a_face_names_the_caller_of_the_face():
    threadmanager = pytest.importorskip("threadmanager")
    group = threadmanager.ThreadGroup("g")
    group.set_event_for_child_tasks("enough")
    assert group.core.reason.file == __file__


def test_no_reason_or_error_shows_a_source_of_the_library():
    group = ThreadGroup("g", time_limit=datetime.timedelta(seconds=0), on_failure="set_event")
    texts = []
    try:
        group.add_task(group.join).get()
    except Exception as error:
        texts.append(str(error))
    group.wait_for_condition(lambda: group.event_is_set(), timeout=10)
    texts.append(str(group.reason))
    try:
        group.add_task(int).get()
    except core.TaskSkipped as error:
        texts.append(str(error))
    with pytest.raises(core.NoGroupError) as info:
        thread_utils.notify()
    texts.append(str(info.value))
    assert len(texts) == 4
    for text in texts:
        assert ".cpp" not in text and "::" not in text, text

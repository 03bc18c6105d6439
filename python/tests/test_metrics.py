# SPDX-License-Identifier: Apache-2.0
"""The metrics for monitoring systems."""

import threading

import pytest

import threadgroup_core as core
from threadgroup_core import ThreadGroup, thread_utils


def value(series):
    """Of the series that is written like this; None if there is none."""
    lines = core.metrics_text(max_paths=1000).splitlines()
    found = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series + " ")]
    assert len(found) < 2
    return found[0] if found else None


def tasks(path, outcome):
    return value(f'threadgroup_tasks_total{{group="{path}",outcome="{outcome}"}}')


def test_tasks_are_counted_by_how_they_ended():
    begun = threading.Event()

    def runs_until_stopped():
        begun.set()
        thread_utils.event_aware_sleep(1000)
        thread_utils.throw_if_event_set()

    group = ThreadGroup("python outcomes", 1)
    for fn in (int, lambda: 1 / 0, runs_until_stopped, int, int):
        group.post(fn)
    begun.wait()
    path = "MainThread/python outcomes"
    assert value(f'threadgroup_tasks_running{{group="{path}"}}') == 1
    assert value(f'threadgroup_tasks_pending{{group="{path}"}}') == 2
    group.set_event()
    group.wait_idle()
    assert [tasks(path, how) for how in ("succeeded", "failed", "stopped", "skipped")] == [1, 1, 1, 2]


def test_counts_stay_when_groups_are_gone():
    core.metrics_text()
    for count in range(1, 4):
        with ThreadGroup("python brief") as group:
            group.add_task(int)
        del group
        assert tasks("MainThread/python brief", "succeeded") == count


def test_paths_beyond_the_limit_are_summed_up():
    with ThreadGroup("python group") as group:
        group.add_task(int)
    text = core.metrics_text(max_paths=0)
    assert text.count("\nthreadgroup_groups{") == 1 and '\nthreadgroup_groups{group="(other)"}' in text


def test_the_text_is_that_of_the_format():
    assert core.metrics_text().startswith("# HELP threadgroup_tasks_total ")
    assert core.metrics_text(format="open_metrics").endswith("\n# EOF\n")
    with pytest.raises(ValueError, match="'prometheus' or 'open_metrics', not 'xml'"):
        core.metrics_text("xml")
    with pytest.raises(ValueError, match="max_paths"):
        core.metrics_text(max_paths=-1)

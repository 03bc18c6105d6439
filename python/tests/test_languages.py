# SPDX-License-Identifier: Apache-2.0
"""One tree across languages: groups that a C++ extension makes inside a Python task."""

import importlib.util
import subprocess
import sysconfig
import threading
from pathlib import Path

import pytest

import threadgroup_core as core
from threadgroup_core import ThreadGroup, thread_utils


@pytest.fixture(scope="module")
def cpp_side(tmp_path_factory):
    source = Path(__file__).with_name("cpp_side.cpp")
    built = tmp_path_factory.mktemp("cpp") / ("cpp_side" + sysconfig.get_config_var("EXT_SUFFIX"))
    (library,) = Path(core.get_library_dir()).glob("libthreadgroup.so.*")
    subprocess.run(["g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-o", str(built), str(source),
                    "-I", core.get_include(), "-I", sysconfig.get_path("include"), str(library),
                    f"-Wl,-rpath,{library.parent}"], check=True)
    spec = importlib.util.spec_from_file_location("cpp_side", built)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_group_made_in_cpp_hangs_under_the_python_task_and_wakes_with_it(cpp_side):
    group, begun = ThreadGroup("python"), threading.Event()
    handle = group.add_task(cpp_side.sleep_in_cpp, lambda _: begun.set())
    begun.wait()
    nodes = {n.name: n for n in core.snapshot()}
    assert nodes["made in C++"].parent == group.id
    group.set_event("from Python")
    assert handle.wait() and handle.exception() is None
    assert handle.get() == ("MainThread/python/made in C++", False, "MainThread/python")


def test_an_event_set_in_cpp_wakes_waits_in_python(cpp_side):
    group, begun = ThreadGroup("python"), threading.Event()
    sleeper = group.add_task(lambda: (begun.set(), thread_utils.event_aware_sleep(1000))[1])
    begun.wait()
    assert group.add_task(cpp_side.set_event_in_cpp).get() is True
    assert sleeper.wait() and sleeper.get() is False
    assert group.reason.message == "from C++"

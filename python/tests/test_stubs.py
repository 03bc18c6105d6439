# SPDX-License-Identifier: Apache-2.0
"""The stubs name what the extension has, and nothing else."""

import ast
from pathlib import Path

import threadgroup_core
from threadgroup_core import _core, blocking


def names(body):
    found = {n.name for n in body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    return found | {n.target.id for n in body if isinstance(n, ast.AnnAssign)}


def test_the_stubs_and_the_extension_have_the_same_names():
    stub = ast.parse(Path(threadgroup_core.__file__).with_name("_core.pyi").read_text())
    assert names(stub.body) == {n for n in vars(_core) if not n.startswith("__")}
    for node in stub.body:
        if isinstance(node, ast.ClassDef):
            members = {n for n in vars(getattr(_core, node.name)) if not n.startswith("__")}
            assert {n for n in names(node.body) if not n.startswith("__")} == members


def test_everything_public_is_documented_and_the_package_is_typed():
    for name in set(threadgroup_core.__all__) - {"ExceptionGroup", "BaseExceptionGroup"}:
        assert getattr(threadgroup_core, name).__doc__, name
    assert Path(threadgroup_core.__file__).with_name("py.typed").exists()
    for name in blocking.__all__:
        assert getattr(blocking, name).__doc__, name
    for member in ("add_task", "post", "join", "wait_for_condition", "set_event", "clear_pending"):
        assert getattr(threadgroup_core.ThreadGroup, member).__doc__, member

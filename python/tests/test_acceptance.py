# SPDX-License-Identifier: Apache-2.0
"""Runs the code blocks of the programs that the package must run unchanged; skipped where they are absent."""

import re
import textwrap
from pathlib import Path

import pytest

SEEDS = Path(__file__).resolve().parents[3] / "shared" / "seeds"
BLOCK = re.compile(r"^```(?:python)?\n(.*?)^```", re.DOTALL | re.MULTILINE)

# What the first document's fragments take for granted.
AROUND = """
import logging
from threadmanager import ThreadGroup
from threadmanager import thread_utils

logger = logging.getLogger("seed")
users = [f"user {n}" for n in range(40)]

class UserVerificationException(Exception):
    pass

_calls = iter(range(10**9))

def verify_user_internal():
    if next(_calls) % 3:
        raise UserVerificationException

def verify_user(user):
    valid_users.append(user)

valid_users = []
"""


def blocks(name):
    path = SEEDS / name
    if not path.exists():
        return []
    found = [b for b in BLOCK.findall(path.read_text())]
    return [b for b in found if "ThreadEventTreeNode" not in b and re.search(r"\w", b)]


def require(name):
    if not (SEEDS / name).exists():
        pytest.skip(f"{SEEDS / name} is not there")


def test_the_fragments_of_the_first_document_run_in_order():
    require("thread-management-library.md")
    # They are one story, but tell it in fragments: each sees what those before it have defined. A verification that
    # fails is retried without end, so the event of the condition is what stops it.
    found = blocks("thread-management-library.md")
    assert len(found) >= 6
    names = {}
    exec(AROUND, names)
    for number, block in enumerate(found):
        exec(compile(textwrap.dedent(block), f"block {number}", "exec"), names)
    assert names["valid_users"]
    assert names["thread_group_2"].event_is_set()
    assert names["thread_group"].event_is_set()


def second_document():
    return list(enumerate(blocks("threadgroup-lib.md")))


def test_the_second_document_is_there():
    require("threadgroup-lib.md")
    assert len(second_document()) == 4


@pytest.mark.parametrize("number, block", second_document())
def test_a_program_of_the_second_document_runs_unchanged(number, block):
    exec(compile(block, f"block {number}", "exec"), {"__name__": f"seed_{number}"})

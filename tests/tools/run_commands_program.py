# SPDX-License-Identifier: Apache-2.0
"""The example that runs commands: what it replaces, prints, counts and stops. Usage: run_commands_program.py PROGRAM"""
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from pathlib import Path

PROGRAM = ""


def run(*arguments, text="", cwd=None):
    done = subprocess.run([PROGRAM, *arguments], input=text, capture_output=True, text=True, timeout=20, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


def processes_with(mark):
    """The command lines of processes that have the mark in them, without this program's."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in line and PROGRAM not in line and "tg-supervisor" not in line:
            found.append(line)
    return found


class RunCommandsTest(unittest.TestCase):
    def test_output_is_in_the_order_of_the_inputs(self):
        code, out, err = run("-j", "3", "--", "sh", "-c", "sleep 0.{}; echo {#}:{}", ":::", "3", "2", "1")
        self.assertEqual((code, out), (0, "1:3\n2:2\n3:1\n"))
        self.assertIn("3 succeeded, 0 failed", err)

    def test_inputs_come_from_lines_and_are_the_last_argument(self):
        code, out, _ = run("--", "echo", "got", text="one\ntwo words\n")
        self.assertEqual((code, out), (0, "got one\ngot two words\n"))

    def test_failures_are_counted_and_named(self):
        code, _, err = run("--", "sh", "-c", "exit {}", ":::", "0", "3", "0")
        self.assertEqual(code, 1)
        self.assertIn("run_commands: 3: exited with 3", err)
        self.assertIn("2 succeeded, 1 failed", err)

    def test_the_first_failure_stops_the_others(self):
        code, _, err = run("-j", "2", "--stop-on-failure", "--", "sh", "-c", "{}", ":::", "sleep 1000", "exit 1", "echo never")
        self.assertEqual(code, 1)
        self.assertIn("0 succeeded, 1 failed, 2 stopped", err)

    def test_a_command_that_takes_too_long_is_ended(self):
        code, _, err = run("--timeout", "100ms", "--", "sleep", ":::", "1000")
        self.assertEqual(code, 1)
        self.assertIn("run_commands: 1000: timed out", err)

    def test_a_tree_has_a_group_for_each_folder_which_counts_what_is_below(self):
        code, _, err = run("--tree", "-j", "2", "--", "test", "a/b/c/x", "=", ":::", "a/x", "a/y", "a/b/c/x", "b/y", "/d/z", "d")
        self.assertEqual(code, 1)
        lines = err.splitlines()
        for line in ("a: 1 succeeded, 2 failed", "a/b: 1 succeeded, 0 failed", "a/b/c: 1 succeeded, 0 failed", "b: 0 succeeded, 1 failed",
                     "/d: 0 succeeded, 1 failed"):
            self.assertIn(line, lines)
        self.assertIn("1 succeeded, 5 failed", lines[-1])

    def test_in_a_tree_a_failure_stops_its_subtree_and_no_other(self):
        # bad/x fails once the others run, and good/x goes on once bad/deep/y was stopped.
        script = """
            case $1 in
                bad/x) until [ -e deep ] && [ -e ok ]; do sleep 0.01; done; exit 1;;
                bad/deep/y) trap 'touch stopped; exit 1' TERM; touch deep; sleep 1000 & wait;;
                good/x) touch ok; until [ -e stopped ]; do sleep 0.01; done; echo went on;;
                *) echo never;;
            esac"""
        with tempfile.TemporaryDirectory() as folder:
            code, out, err = run("--tree", "--stop-on-failure", "-j", "3", "--", "sh", "-c", script, "sh", "{}", ":::", "bad/x", "bad/deep/y",
                                 "good/x", "bad/z", cwd=folder)
        self.assertEqual((code, out), (1, "went on\n"))
        for line in ("bad: 0 succeeded, 1 failed, 2 stopped", "bad/deep: 0 succeeded, 0 failed, 1 stopped", "good: 1 succeeded, 0 failed"):
            self.assertIn(line, err.splitlines())

    def test_without_a_command_it_says_so(self):
        code, _, err = run(text="x\n")
        self.assertEqual(code, 2)
        self.assertIn("no command", err)

    def test_ctrl_c_ends_all_that_the_commands_have_started(self):
        mark = uuid.uuid4().hex
        script = f"setsid sh -c 'trap \"\" TERM; sleep 1000; : {mark}' & wait"
        program = subprocess.Popen([PROGRAM, "-j", "4", "--grace", "200ms", "--", "sh", "-c", script, ":::", "1", "2", "3", "4", "5"],
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(program.kill)
        end = time.monotonic() + 20
        while len(processes_with(mark)) < 8:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=40)
        self.assertEqual(program.returncode, 130)
        self.assertIn("5 stopped", err)
        self.assertEqual(processes_with(mark), [])


if __name__ == "__main__":
    PROGRAM = str(Path(sys.argv.pop(1)).resolve())
    unittest.main()

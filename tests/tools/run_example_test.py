#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/run_example: it passes what fits, and fails on anything else."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "run_example"


class RunExample(unittest.TestCase):
    def status(self, expected, script):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "x.expected")
            path.write_text(expected)
            command = [sys.executable, TOOL, "--expected", path, "/bin/sh", "-c", script]
            return subprocess.run(command, capture_output=True, check=False).returncode

    def test_same_text_passes(self):
        self.assertEqual(self.status("a\nb (1)\n", "echo a; echo 'b (1)'"), 0)

    def test_other_missing_and_extra_lines_fail(self):
        self.assertEqual(self.status("a\nb\n", "echo a; echo c"), 1)
        self.assertEqual(self.status("a\nb\n", "echo a"), 1)
        self.assertEqual(self.status("a\nb\n", "echo a; echo b; echo c"), 1)

    def test_regex_matches_one_whole_line(self):
        self.assertEqual(self.status("~ took \\d+ ms\n", "echo took 12 ms"), 0)
        self.assertEqual(self.status("~ took \\d+ ms\n", "echo took 12 ms or so"), 1)
        self.assertEqual(self.status("~ took \\d+ ms\n", "echo"), 1)

    def test_dots_stand_for_any_number_of_lines(self):
        for script in ("echo a; echo z", "echo a; echo b; echo z", "echo a; echo z; echo z"):
            self.assertEqual(self.status("a\n...\nz\n", script), 0, script)
        self.assertEqual(self.status("a\n...\nz\n", "echo a; echo z; echo y"), 1)
        self.assertEqual(self.status("...\n", "true"), 0)

    def test_failing_program_fails_whatever_it_prints(self):
        self.assertEqual(self.status("a\n", "echo a; exit 3"), 1)


if __name__ == "__main__":
    unittest.main()

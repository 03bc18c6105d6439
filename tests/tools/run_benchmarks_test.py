#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/run_benchmarks: its list fits the programs, and its tables say what they show and what they lack."""
import re
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from load_tool import load_tool  # noqa: E402

TOOL = load_tool("run_benchmarks")
BENCH = Path(__file__).resolve().parents[2] / "bench"
NOT_PROBLEMS = {"common", "plots", "python"}
CASE = ("a case", "wake", [], "ms", "ms", "<= 1")


def text_of(problem):
    """What decides of a problem's figures and options."""
    texts = [path.read_text() for path in (BENCH / problem).iterdir()]
    for name in re.findall(r'#include "\.\./(\w+/\w+\.hpp)"', "\n".join(texts)):
        texts.append((BENCH / name).read_text())
    return "\n".join(texts)


class Cases(unittest.TestCase):
    def test_every_problem_is_run_and_none_is_unknown(self):
        problems = {folder.name for folder in BENCH.iterdir() if folder.is_dir()} - NOT_PROBLEMS
        self.assertEqual({case[1] for case in TOOL.CASES}, problems)

    def test_names_are_unique(self):
        names = [case[0] for case in TOOL.CASES]
        self.assertEqual(sorted(names), sorted(set(names)))

    def test_figures_and_options_are_those_of_the_programs(self):
        for name, problem, arguments, figure, *_ in TOOL.CASES:
            text = text_of(problem)
            stem = re.sub(r"_\d_threads?_ns$", "", figure)  # the vault's programs put these together
            self.assertTrue(f'"{figure}"' in text or f'"{stem}"' in text, f"{name}: {figure}")
            for option in arguments[::2]:
                self.assertTrue(f'"{option.removeprefix("--")}"' in text, f"{name}: {option}")

    def test_each_problem_is_solved_by_the_library(self):
        for case in TOOL.CASES:
            self.assertTrue((BENCH / case[1] / "ours.cpp").exists(), case[0])


class Peers(unittest.TestCase):
    def folder(self, *names):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name in names:
            path = Path(folder.name, name)
            path.parent.mkdir(exist_ok=True)
            path.touch()
        return Path(folder.name)

    def test_programs_are_those_of_the_problem_alone(self):
        folder = self.folder("bench_group_ours", "bench_group_task_ours", "bench_group_task_std")
        self.assertEqual(list(TOOL.programs_of(folder, "group")), ["ours"])
        self.assertEqual(list(TOOL.programs_of(folder, "group_task")), ["ours", "std"])

    def test_peers_without_a_program_are_left_out_in_any_language(self):
        sources = self.folder("fib/ours.cpp", "fib/tbb.cpp", "fib/rayon.rs", "fib/go.go", "fib/work.txt")
        self.assertEqual(TOOL.left_out(sources, "fib", {"ours": None}), ["go", "rayon", "tbb"])
        self.assertEqual(TOOL.left_out(sources, "fib", ["go", "ours", "rayon", "tbb"]), [])

    def test_headers_are_no_peers(self):
        self.assertEqual(TOOL.left_out(self.folder("wake/raw.cpp", "wake/work.hpp"), "wake", ["raw"]), [])


class Tables(unittest.TestCase):
    def table(self, figures, missing=()):
        values = {(CASE[0], lib): [{"ms": value} for value in samples] for lib, samples in figures.items()}
        return TOOL.table(CASE, values, list(figures), missing)

    def test_ours_is_first_and_compared_with_the_best_peer(self):
        lines, medians = self.table({"std": [4, 2, 3], "raw": [1, 2, 3], "ours": [5, 5, 9]})
        self.assertEqual(lines[-4:-1], ["| ours | 5 | 5 | 9 | 2.50 |", "| raw | 2 | 1 | 3 | 1.00 |", "| std | 3 | 2 | 4 | 1.50 |"])
        self.assertEqual(medians, {"ours": 5, "raw": 2, "std": 3})

    def test_best_peer_of_zero_has_no_ratio(self):
        lines, _ = self.table({"ours": [0], "std": [0]})
        self.assertIn("| ours | 0 | 0 | 0 |  |", lines)

    def test_a_peer_that_is_not_installed_is_named(self):
        self.assertIn("Left out, because not installed: go, rayon.", self.table({"ours": [1]}, ["go", "rayon"])[0])
        self.assertNotIn("Left out", "\n".join(self.table({"ours": [1]})[0]))

    def test_a_case_without_figures_has_no_table(self):
        self.assertEqual(self.table({"ours": []}), ([], {}))


if __name__ == "__main__":
    unittest.main()

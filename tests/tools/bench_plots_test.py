#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/bench_plots.py: the README's plots show what bench/RESULTS.md says."""
import sys
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from bench_plots import HALF, OVERVIEWS, bars, medians  # noqa: E402

RESULTS = """### submit

ns. To reach: <= 70.

| library | median | min | max | to the best peer |
|---|---|---|---|---|
| ours | 37.8 | 32.9 | 45.8 | 0.15 |
| asio | 1,261 | 1,158 | 1,343 | 5.11 |

### submit and collect

| ours | 1 | 1 | 1 | |
"""


class Overviews(unittest.TestCase):
    def test_medians_are_those_of_the_case(self):
        self.assertEqual(medians(RESULTS, "submit"), {"ours": 37.8, "asio": 1261.0})
        self.assertEqual(medians(RESULTS, "submit and collect"), {"ours": 1.0})
        self.assertEqual(medians(RESULTS, "nothing"), {})

    def test_recorded_results_have_every_case_of_the_overviews(self):
        recorded = (ROOT / "bench/RESULTS.md").read_text()
        for _, cases in OVERVIEWS.values():
            for case, _ in cases:
                self.assertIn("ours", medians(recorded, case), case)

    def test_plots_in_the_repository_are_those_of_the_recorded_results(self):
        recorded = (ROOT / "bench/RESULTS.md").read_text()
        for name, (title, cases) in OVERVIEWS.items():
            plot = bars(title, [(label, medians(recorded, case)) for case, label in cases], HALF)
            xml.fromstring(plot)
            self.assertEqual((ROOT / f"bench/plots/{name}.svg").read_text(), plot, "run python3 tools/bench_plots.py")


if __name__ == "__main__":
    unittest.main()

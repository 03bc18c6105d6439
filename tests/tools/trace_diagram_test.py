#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/trace_diagram: the steps of each flow are in its column, in their order, and what is around is skipped."""
import subprocess
import sys
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from load_tool import load_tool

TOOL = Path(__file__).resolve().parents[2] / "tools" / "trace_diagram"
trace_diagram = load_tool("trace_diagram")

TRACE = """[ RUN      ] Some.test
deadlock: all flows sleep, and nothing will wake one
  ... 7 steps before
flow 1 (body)
    starts flow 2 (a<b)   explorer.cpp:100  sim::Explorer::together
    sleeps on w1
flow 2 (a<b)
    reads w2 = 0   event.hpp:35  detail::Event::is_set
the clock
    time passes
flow 1 (body)
    ends
Flows:
  flow 1 (body) sleeps
      wait.cpp:80  detail::wait
"""


class TraceDiagram(unittest.TestCase):
    def run_tool(self, text, *arguments):
        done = subprocess.run([sys.executable, TOOL, *arguments], input=text, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_trace_is_read_and_the_rest_is_skipped(self):
        flows, steps = trace_diagram.read(TRACE.splitlines(keepends=True))
        self.assertEqual(flows, ["flow 1 (body)", "flow 2 (a<b)", "the clock"])
        self.assertEqual([step[:2] for step in steps],
                         [("flow 1 (body)", "starts flow 2 (a<b)"), ("flow 1 (body)", "sleeps on w1"),
                          ("flow 2 (a<b)", "reads w2 = 0"), ("the clock", "time passes"), ("flow 1 (body)", "ends")])
        self.assertEqual(steps[2][2:], ("event.hpp:35", "detail::Event::is_set"))

    def test_text_has_a_column_for_each_flow(self):
        status, out, _ = self.run_tool(TRACE)
        lines = out.splitlines()
        self.assertEqual(status, 0)
        second = lines[0].index("flow 2")
        self.assertEqual(lines[2], "starts flow 2 (a<b)".ljust(second) + "|".ljust(lines[0].index("the clock") - second) + "|")
        read = next(line for line in lines if "reads w2" in line)
        self.assertEqual((read[0], read.index("reads")), ("|", second))
        self.assertEqual(lines[lines.index(read) + 1].split(), ["|", "Event::is_set", "|"])

    def test_picture_is_well_formed_and_has_each_step(self):
        status, out, _ = self.run_tool(TRACE, "--svg")
        self.assertEqual(status, 0)
        texts = [node.text for node in ElementTree.fromstring(out).iter("{http://www.w3.org/2000/svg}text")]
        for text in ("flow 2 (a<b)", "reads w2 = 0", "Event::is_set", "time passes", "ends"):
            self.assertIn(text, texts)

    def test_input_without_a_trace_is_refused(self):
        status, out, error = self.run_tool("nothing of interest\n")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("no trace", error)


if __name__ == "__main__":
    unittest.main()

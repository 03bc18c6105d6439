#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/terminal_svg.py on small screens, and of tools/record_demo on a small program."""
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

sys.dont_write_bytecode = True
TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
from terminal import Screen  # noqa: E402
from terminal_svg import ROW, animation  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def screen(text):
    made = Screen(20, 3)
    made.feed(text)
    return made.lines


def texts_of(element, lines):
    """What a frame shows, top down: its own order must be that of the rows."""
    uses = element.findall(f"{SVG}use")
    rows = [float(use.get("y")) for use in uses]
    assert rows == sorted(rows), rows
    return ["".join(lines[use.get("href")[1:]]) for use in uses]


class Picture(unittest.TestCase):
    def parsed(self, frames, hold=2):
        root = xml.fromstring(animation(frames, "a <title>", hold))
        lines = {g.get("id"): [t.text for t in g] for g in root.find(f"{SVG}defs")}
        film = root.find(f".//{SVG}g[@id='film']")
        return root, [texts_of(frame, lines) for frame in film], film, lines

    def test_frames_come_in_the_order_of_the_recording(self):
        frames = [(1.0, screen("first")), (2.0, screen("first\r\nsecond")), (4.0, screen("third"))]
        root, shown, film, _ = self.parsed(frames)
        self.assertEqual(shown, [["first"], ["first", "second"], ["third"]])
        places = [frame.get("transform") for frame in film]
        self.assertEqual(places, [f"translate(0 {n * 3 * ROW})" for n in range(3)])
        steps = re.findall(r"([\d.]+)%\{transform:translateY\((-?\d+)px\)\}", root.find(f"{SVG}style").text)
        # Three seconds of recording, and two for the last frame.
        self.assertEqual(steps, [("0.00", "0"), ("20.00", str(-3 * ROW)), ("60.00", str(-6 * ROW))])

    def test_viewer_without_animation_sees_the_last_frame(self):
        _, _, film, _ = self.parsed([(0.0, screen("a")), (1.0, screen("b"))])
        self.assertEqual(film.get("transform"), f"translate(0 {-3 * ROW})")

    def test_line_of_several_frames_is_drawn_once(self):
        _, _, _, lines = self.parsed([(0.0, screen("same\r\na")), (1.0, screen("same\r\nb"))])
        self.assertEqual(sorted(lines.values()), [["a"], ["b"], ["same"]])

    def test_half_drawn_and_repeated_frames_are_left_out(self):
        frames = [(0.0, screen("a")), (1.0, screen("ha")), (1.01, screen("half")), (2.0, screen("half")), (3.0, screen("z"))]
        self.assertEqual(self.parsed(frames)[1], [["a"], ["half"], ["z"]])

    def test_markup_in_the_text_is_text(self):
        self.assertEqual(self.parsed([(0.0, screen("<b> & </b>"))])[1], [["<b> & </b>"]])

    def test_styles_become_classes_and_columns_places(self):
        root = self.parsed([(0.0, screen("\x1b[32mok\x1b[0m done   x"))])[0]
        line = root.find(f"{SVG}defs/{SVG}g")
        self.assertEqual([(t.text, t.get("class"), t.get("x")) for t in line],
                         [("ok", "g", "0"), ("done", None, "25.2"), ("x", None, "84")])


class Recording(unittest.TestCase):
    def record(self, script):
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder, "demo.svg")
            done = subprocess.run([sys.executable, TOOLS / "record_demo", "/bin/sh", picture, "-c", script],
                                  capture_output=True, text=True, check=False)
            return done, picture.read_text() if picture.exists() else None

    def test_program_is_recorded(self):
        done, svg = self.record("echo hello")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(">hello<", svg)
        xml.fromstring(svg)

    def test_program_that_fails_makes_no_picture(self):
        done, svg = self.record("echo no users; exit 3")
        self.assertEqual(done.returncode, 1)
        self.assertIn("status 3", done.stderr)
        self.assertIn("no users", done.stderr)
        self.assertIsNone(svg)


if __name__ == "__main__":
    unittest.main()

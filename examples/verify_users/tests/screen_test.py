#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What verify_users leaves on a terminal of 80 columns and 24 lines. Usage: screen_test.py PROGRAM [TEST...]"""
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
from terminal import Session  # noqa: E402

PROGRAM = None
TEAM = str(ROOT / "examples/verify_users/team.csv")
QUICK = ["--latency", "20ms-150ms", "--retry-pause", "100ms"]
BAR = "█░"


def session(*arguments):
    return Session([PROGRAM, *arguments])


class Screen(unittest.TestCase):
    def assert_in_order(self, done):
        """The plan and the summary are on the screen, nothing scrolled away, and nothing of the live view is left."""
        screen = done.screen
        text = screen.text()
        self.assertEqual(screen.gone, [], "scrolled away")
        self.assertEqual(screen.wrapped, 0, "text ran over the right edge")
        self.assertIn(" users of ", text[0])
        self.assertFalse(any(c in line for line in text for c in BAR), text)
        self.assertFalse(any("^C" in line for line in text), text)
        self.assertEqual(text[-1], "", "the line of the cursor")
        self.assertTrue(any(line.startswith("Tasks: ") for line in text), text)
        for _, lines in done.frames:
            frame = ["".join(c for c, _ in line).rstrip() for line in lines]
            self.assertLessEqual(sum(any(c in line for c in BAR) for line in frame), 1, frame)

    def test_team_is_verified_and_the_summary_fits_the_screen(self):
        done = session("--users", TEAM, "--accounts", TEAM, "--need", "8", *QUICK).run()
        self.assertEqual(done.status, 0)
        self.assert_in_order(done)
        text = done.screen.text()
        self.assertIn("The groups when they were stopped:", text)
        self.assertTrue(any(line.startswith("Verified: ") for line in text), text)
        self.assertTrue(any("Stopped: condition_met at MainThread/Verifying Users" in line for line in text), text)

    def test_ctrl_c_ends_with_status_130_and_the_same_summary(self):
        running = session("--users", TEAM, "--accounts", TEAM, "--need", "24", "--latency", "1h", "--request-timeout", "1h")
        running.run(until=lambda text: "10 run " in text and "checks of ada" in text)
        running.type("\x03")
        done = running.run()
        self.assertEqual(done.status, 130)
        self.assert_in_order(done)
        self.assertTrue(any("Stopped: signal" in line for line in done.screen.text()), done.screen.text())

    def test_many_users_with_long_names_fit(self):
        with tempfile.TemporaryDirectory() as folder:
            users = Path(folder, "long" * 20 + ".csv")
            users.write_text("user,login\n" + "".join(f"user-{'x' * 70}-{i},{'no' if i % 2 else ''}\n" for i in range(300)))
            done = session("--users", str(users), "--accounts", str(users), "--need", "100", "--max", "40",
                           "--latency", "0-20ms", "--retry-pause", "10ms").run()
        self.assertEqual(done.status, 0)
        self.assertEqual(done.screen.wrapped, 0)
        self.assertIn("... and ", "\n".join(done.screen.text()))
        # More groups than lines: the picture is as tall as the screen, so the plan may have scrolled away; no more.
        self.assertLessEqual(len(done.screen.gone), 1)
        self.assertFalse(any(c in line for line in done.screen.all_text() for c in BAR), done.screen.all_text())


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()

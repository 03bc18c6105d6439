#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of ./dev: what fails is shown with what ran beside it, and installing leaves the system's settings as they were."""
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would the shells that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def run_stages(functions, stages):
    """Runs ./dev with other stages, and without packages."""
    script = f". ./dev help >/dev/null; need() {{ :; }}; need_later() {{ :; }}; {functions}; run_all {stages}"
    return subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)


class Stages(unittest.TestCase):
    BESIDE = "beside() { sleep 0.2; echo said-beside; %s; }; stage_python() { run_beside beside; }"

    def test_failing_stage_ends_after_what_runs_beside_it_was_shown(self):
        run = run_stages(self.BESIDE % ":" + "; stage_dev() { echo said-by-stage; false; }", "python dev")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("said-by-stage", run.stdout)
        self.assertIn("said-beside", run.stdout)
        self.assertIn("failed in the stage dev", run.stdout)

    def test_failure_beside_a_stage_fails_the_whole(self):
        run = run_stages(self.BESIDE % "false" + "; stage_dev() { :; }; stage_tsan() { echo not-reached; }", "python dev tsan")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("said-beside", run.stdout)
        self.assertNotIn("not-reached", run.stdout)

    def test_without_failures_all_is_shown_once(self):
        run = run_stages(self.BESIDE % ":" + "; stage_dev() { echo said-by-stage; }", "python dev")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stdout.count("said-beside"), 1)
        self.assertIn("all stages passed: python dev", run.stdout)
        self.assertNotIn("failed", run.stdout)


class Packages(unittest.TestCase):
    DEFAULT = "# comment\n#create_main_cluster = true\n"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.policy = Path(folder.name, "policy-rc.d")
        self.settings = Path(folder.name, "createcluster.conf")
        self.log = Path(folder.name, "log")

    def start(self, install):
        """Installs a server by this shell code instead of apt-get."""
        script = f"""set -euo pipefail; . tools/packages.sh; as_root() {{ "$@"; }}; apt_get_install() {{ {install}; }}
                     server_policy={self.policy} cluster_settings={self.settings} log={self.log}
                     apt_install postgresql"""
        return subprocess.Popen(["bash", "-c", script], cwd=ROOT, start_new_session=True)

    def test_no_server_is_started_or_made_and_the_settings_are_as_before(self):
        self.settings.write_text(self.DEFAULT)
        self.assertEqual(self.start('cat "$cluster_settings" "$server_policy" >"$log"').wait(), 0)
        self.assertIn("\ncreate_main_cluster = false\n", self.log.read_text())
        self.assertIn("exit 101", self.log.read_text())
        self.assertEqual(self.settings.read_text(), self.DEFAULT)
        self.assertFalse(self.policy.exists())

    def test_settings_are_as_before_if_it_fails_or_is_interrupted(self):
        self.settings.write_text(self.DEFAULT)
        self.assertEqual(self.start("[ $1 = postgresql-common ]").wait(), 1)
        self.assertEqual(self.settings.read_text(), self.DEFAULT)
        self.assertFalse(self.policy.exists())
        for number in (signal.SIGINT, signal.SIGTERM):
            self.log.unlink(missing_ok=True)
            process = self.start('[ $1 = postgresql-common ] || { cp "$cluster_settings" "$log"; sleep 30; }')
            while not self.log.exists():
                time.sleep(0.01)
            subprocess.run(["kill", f"-{int(number)}", "--", f"-{process.pid}"], check=True)
            self.assertNotEqual(process.wait(), 0)
            while self.policy.exists():  # the last change to be taken back, by a process below that one
                time.sleep(0.01)
            self.assertEqual(self.settings.read_text(), self.DEFAULT)

    def test_what_the_administrator_has_chosen_stays(self):
        self.settings.write_text("create_main_cluster = false\n")
        self.policy.write_text("#!/bin/sh\nexit 0\n")
        self.assertEqual(self.start(":").wait(), 0)
        self.assertEqual(self.settings.read_text(), "create_main_cluster = false\n")
        self.assertEqual(self.policy.read_text(), "#!/bin/sh\nexit 0\n")

    def need(self, status, seconds):
        """What `need` says while packages are installed in the background for some seconds; dpkg-query gives this status of each."""
        script = f"""set -euo pipefail; . tools/packages.sh; dpkg-query() {{ echo {status}; }}; apt_install() {{ :; }}
                     sleep {seconds} & installing=$!; need one; jobs -r; [ -z "$installing" ] || kill "$installing" """
        return subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    def test_what_is_there_is_not_waited_for(self):
        self.assertIn("sleep", self.need("installed", 60))
        self.assertEqual(self.need("unpacked", 0.3), "== installing: one\n")


if __name__ == "__main__":
    unittest.main()

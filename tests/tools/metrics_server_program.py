# SPDX-License-Identifier: Apache-2.0
"""The example metrics_server: what /metrics says after some work. Usage: metrics_server_program.py PROGRAM"""
import shutil
import signal
import subprocess
import sys
import unittest
import urllib.request

PROGRAM = ""
WORK = 'group="MainThread/service/work"'


class Server:
    def __enter__(self):
        self.process = subprocess.Popen([PROGRAM], stdout=subprocess.PIPE, text=True)
        word, port = self.process.stdout.readline().split()
        assert word == "port"
        self.address = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def get(self, path, **headers):
        with urllib.request.urlopen(urllib.request.Request(self.address + path, headers=headers), timeout=30) as answer:
            return answer.read().decode(), answer.headers["Content-Type"]

    def value(self, series):
        """Of the series that is written like this."""
        found = [line for line in self.get("/metrics")[0].splitlines() if line.startswith(series + " ")]
        assert len(found) == 1, found
        return float(found[0].split()[-1])


class MetricsServerTest(unittest.TestCase):
    def test_counts_of_requests_add_up(self):
        with Server() as server:
            self.assertEqual(server.get("/work?tasks=5&failing=1")[0].splitlines()[0], "done: 4 succeeded, 1 failed")
            server.get("/work?tasks=3")
            self.assertEqual(server.value(f'threadgroup_tasks_total{{{WORK},outcome="succeeded"}}'), 7)
            self.assertEqual(server.value(f'threadgroup_tasks_total{{{WORK},outcome="failed"}}'), 1)
            self.assertEqual(server.value(f"threadgroup_groups{{{WORK}}}"), 0)
            self.assertEqual(server.value('threadgroup_tasks_running{group="MainThread/service"}'), 1)

    def test_client_chooses_the_format(self):
        with Server() as server:
            text, kind = server.get("/metrics")
            self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
            self.assertNotIn("# EOF", text)
            text, kind = server.get("/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
            self.assertEqual(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.assertTrue(text.endswith("\n# EOF\n"))

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_prometheus_can_read_it(self):
        with Server() as server:
            server.get("/work?tasks=2")
            subprocess.run(["promtool", "check", "metrics"], input=server.get("/metrics")[0], text=True, check=True)

    def test_sigterm_ends_it(self):
        with Server() as server:
            server.process.send_signal(signal.SIGTERM)
            said, _ = server.process.communicate(timeout=30)
            self.assertEqual(server.process.returncode, 0)
            self.assertIn("stopped in ", said)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()

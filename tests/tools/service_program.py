# SPDX-License-Identifier: Apache-2.0
"""The example service in good order: requests, signals, and what it says in the end. Usage: service_program.py PROGRAM"""
import signal
import socket
import subprocess
import sys
import unittest

PROGRAM = ""


class Service:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        word, port = self.process.stdout.readline().split()
        assert word == "port"
        self.address = ("127.0.0.1", int(port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def connect(self):
        with socket.create_connection(self.address, timeout=30) as connection:
            return connection.makefile("rw", newline="\n")  # keeps it open

    def send(self, number):
        self.process.send_signal(number)

    def ends(self):
        """Exit status and last words."""
        out, _ = self.process.communicate(timeout=30)
        return self.process.returncode, out.strip()


def ask(client, *requests):
    for request in requests:
        client.write(request + "\n")
    client.flush()


class ServiceTest(unittest.TestCase):
    def test_requests_of_a_connection_are_answered_as_they_end(self):
        with Service() as service, service.connect() as client:
            ask(client, "work 400", "work 0")
            self.assertEqual(client.readline(), "work 0: done\n")
            self.assertEqual(client.readline(), "work 400: done\n")

    def test_sigterm_lets_requests_end_and_refuses_what_comes_later(self):
        with Service("20") as service, service.connect() as client:
            ask(client, "work 0")
            self.assertEqual(client.readline(), "work 0: done\n")  # it is being served
            ask(client, "work 700", "work 1")
            self.assertEqual(client.readline(), "work 1: done\n")  # both were received
            service.send(signal.SIGTERM)
            self.assertEqual(client.readline(), "work 700: done\n")
            self.assertEqual(client.readline(), "")  # closed
            status, said = service.ends()
            self.assertEqual(status, 0)
            self.assertRegex(said, r"^drained in \d+\.\d+ s: ")

    def test_what_takes_longer_than_planned_is_stopped(self):
        with Service("0.2") as service, service.connect() as client:
            ask(client, "work 600000", "work 0")
            self.assertEqual(client.readline(), "work 0: done\n")
            service.send(signal.SIGTERM)
            self.assertEqual(client.readline(), "work 600000: stopped\n")
            status, said = service.ends()
            self.assertEqual(status, 0)
            self.assertRegex(said, r"^not drained in 0\.\d+ s; stopped in \d+\.\d+ s: ")

    def test_second_signal_stops_at_once(self):
        with Service("600") as service, service.connect() as client:
            ask(client, "work 600000", "work 0")
            self.assertEqual(client.readline(), "work 0: done\n")
            service.send(signal.SIGTERM)
            with self.assertRaises(subprocess.TimeoutExpired):
                service.process.wait(timeout=0.3)
            service.send(signal.SIGINT)
            self.assertEqual(client.readline(), "work 600000: stopped\n")
            self.assertEqual(service.ends()[0], 0)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()

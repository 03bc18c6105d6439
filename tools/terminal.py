# SPDX-License-Identifier: Apache-2.0
"""Runs a program on a terminal of a fixed size and keeps what its screen shows: for pictures, and for tests."""
import codecs
import copy
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

SEQUENCE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")
PLAIN = ""


class Screen:
    """A terminal that knows what verify_users uses: text, line ends, cursor up, erasing, and styles.

    `lines` are lists of (character, style); a style is the parameters of the last SGR sequence. `gone` has the lines
    that scrolled away, and `wrapped` the number of times that text ran over the right edge.
    """

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [self._blank() for _ in range(rows)]
        self.gone, self.wrapped = [], 0
        self._row = self._column = 0
        self._style = PLAIN
        self._rest = ""

    def _blank(self):
        return [(" ", PLAIN)] * self.columns

    def text(self):
        """The screen's lines as text, without what is blank at their ends."""
        return ["".join(c for c, _ in line).rstrip() for line in self.lines]

    def all_text(self):
        """The same with the lines that have scrolled away before them."""
        return ["".join(c for c, _ in line).rstrip() for line in self.gone] + self.text()

    def feed(self, text):
        text, self._rest = self._rest + text, ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                match = SEQUENCE.match(text, at)
                if not match:
                    if len(text) - at > 16:
                        raise ValueError(f"this terminal does not know {text[at:at + 16]!r}")
                    self._rest = text[at:]  # the rest of it is on its way
                    return
                self._obey(match[1], match[2])
                at = match.end()
            else:
                self._put(text[at])
                at += 1

    def _put(self, character):
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._next_line()
        elif character < " ":
            raise ValueError(f"this terminal does not know {character!r}")
        else:
            if self._column == self.columns:
                self.wrapped += 1
                self._column = 0
                self._next_line()
            self.lines[self._row][self._column] = (character, self._style)
            self._column += 1

    def _next_line(self):
        if self._row + 1 < self.rows:
            self._row += 1
        else:
            self.gone.append(self.lines.pop(0))
            self.lines.append(self._blank())

    def _obey(self, parameters, command):
        if command == "m":
            self._style = PLAIN if parameters in ("", "0") else parameters
        elif command == "A":
            self._row = max(0, self._row - int(parameters or 1))
        elif command == "K" and not parameters:
            self._erase_line()
        elif command == "J" and not parameters:
            self._erase_line()
            for row in range(self._row + 1, self.rows):
                self.lines[row] = self._blank()
        else:
            raise ValueError(f"this terminal does not know ESC[{parameters}{command}")

    def _erase_line(self):
        line = self.lines[self._row]
        line[self._column:] = [(" ", PLAIN)] * (self.columns - self._column)


class Session:
    """A program on such a terminal. `frames` has (seconds, lines) for each piece of output."""

    def __init__(self, command, columns=80, rows=24):
        self.screen = Screen(columns, rows)
        self.frames = []
        self.status = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begin = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")
            os.environ.pop("NO_COLOR", None)
            # The size is set before the program can ask for it.
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            # The echo of a key may come between any two bytes of the program's output, even within a sequence.
            modes = termios.tcgetattr(1)
            modes[3] &= ~termios.ECHO
            termios.tcsetattr(1, termios.TCSANOW, modes)
            os.execvp(command[0], command)

    def type(self, text):
        """As from the keyboard; "\\x03" is Ctrl-C."""
        os.write(self._fd, text.encode())

    def run(self, until=None, limit=60):
        """Reads until `until(text of the screen)` holds, or to the end of the program; its status is in `status`."""
        end = time.monotonic() + limit
        while until is None or not until("\n".join(self.screen.text())):
            if not select.select([self._fd], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the program says nothing more, and has not ended:\n" + "\n".join(self.screen.text()))
            try:
                data = os.read(self._fd, 65536)
            except OSError:  # EIO: the other side of the terminal is closed
                data = b""
            if not data:
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
                return self
            self.screen.feed(self._decoder.decode(data))
            self.frames.append((time.monotonic() - self._begin, copy.deepcopy(self.screen.lines)))
        return self

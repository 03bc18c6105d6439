# SPDX-License-Identifier: Apache-2.0
"""One blocked call of each kind, in the names of `threadgroup_core.blocking` or of the standard library, and tasks in such calls."""

import contextlib
import fcntl
import linecache
import os
import queue
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import types

from threadgroup_core import TaskStatus, ThreadGroup, blocking

SLEEPER = [sys.executable, "-c", "import time; time.sleep(1000)"]


def standard_library():
    """What `blocking` has, under the same names; with the replacements if they are installed."""
    names = types.SimpleNamespace(run=subprocess.run, check_output=subprocess.check_output)
    for module in (time, select, selectors, socket, subprocess, threading, queue, fcntl, os):
        for name in blocking.__all__:
            if hasattr(module, name) and not hasattr(names, name):
                setattr(names, name, getattr(module, name))
    names.select, names.read, names.wait = select.select, os.read, os.wait
    return names


def connected(lib, on_end):
    """Two sockets, of the type of the library."""
    return [on_end.enter_context(lib.socket(one.family, one.type, one.proto, one.detach())) for one in socket.socketpair()]


def listener(lib, on_end, backlog=5):
    sock = on_end.enter_context(lib.socket())
    sock.bind(("127.0.0.1", 0))
    sock.listen(backlog)
    return sock


def pipe(on_end):
    ends = os.pipe()
    for end in ends:
        on_end.callback(os.close, end)
    return ends


def receiving(call):
    def case(lib, on_end):
        one, other = connected(lib, on_end)
        on_end.callback(other.close)
        return lambda: call(one)

    return case


def sleep(lib, on_end):
    return lambda: lib.sleep(1000)


def sendall(lib, on_end):
    one, _ = connected(lib, on_end)
    return lambda: one.sendall(bytes(10_000_000))


def sendmsg(lib, on_end):
    one, _ = connected(lib, on_end)
    one.setblocking(False)
    try:
        while True:
            one.send(bytes(100_000))
    except BlockingIOError:
        one.setblocking(True)
    return lambda: one.sendmsg([b"x", b"y"])


def sendfile(lib, on_end):
    one, _ = connected(lib, on_end)
    file = on_end.enter_context(open(sys.executable, "rb"))
    return lambda: [one.sendfile(file, 0) for _ in range(100)]


def accept(lib, on_end):
    sock = listener(lib, on_end)
    return lambda: sock.accept()


def connect(lib, on_end):
    server = listener(lib, on_end, backlog=0)
    for _ in range(3):  # more than the backlog takes
        waiting = on_end.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(server.getsockname())
    sock = on_end.enter_context(lib.socket())
    return lambda: sock.connect(server.getsockname())


def connect_to_path(lib, on_end):
    server = on_end.enter_context(lib.socket(socket.AF_UNIX))
    server.bind("")  # a name that the kernel chooses
    server.listen(0)
    first = on_end.enter_context(socket.socket(socket.AF_UNIX))
    first.connect(server.getsockname())
    sock = on_end.enter_context(lib.socket(socket.AF_UNIX))
    return lambda: sock.connect(server.getsockname())


def select_(lib, on_end):
    one, _ = connected(lib, on_end)
    return lambda: lib.select([one], [], [])


def poll(lib, on_end):
    one, _ = connected(lib, on_end)
    polled = lib.poll()
    polled.register(one, select.POLLIN)
    return lambda: polled.poll()


def epoll(lib, on_end):
    one, _ = connected(lib, on_end)
    polled = on_end.enter_context(lib.epoll())
    polled.register(one, select.EPOLLIN)
    return lambda: polled.poll()


def selecting(name):
    def case(lib, on_end):
        one, _ = connected(lib, on_end)
        selector = on_end.enter_context(getattr(lib, name)())
        selector.register(one, selectors.EVENT_READ)
        return lambda: selector.select()

    return case


def read(lib, on_end):
    end, _ = pipe(on_end)
    return lambda: lib.read(end, 10)


def write(lib, on_end):
    _, end = pipe(on_end)
    os.set_blocking(end, False)
    try:
        while True:
            os.write(end, bytes(10_000))
    except BlockingIOError:
        os.set_blocking(end, True)
    return lambda: lib.write(end, b"x")


def locking(name):
    def case(lib, on_end):
        first, second = [on_end.enter_context(open(os.path.join(on_end.folder, "lock"), "w")) for _ in range(2)]
        # Two locks of a process by `lockf` do not conflict, so another process has the lock.
        holder = on_end.enter_context(subprocess.Popen(
            [sys.executable, "-c", f"import fcntl, sys; fcntl.{name}(1, fcntl.LOCK_EX); sys.stderr.write('x'); sys.stderr.flush(); "
             "sys.stdin.read()"], stdin=subprocess.PIPE, stdout=first, stderr=subprocess.PIPE))
        on_end.callback(holder.stdin.close)
        holder.stderr.read(1)
        return lambda: getattr(lib, name)(second, fcntl.LOCK_EX)

    return case


def popen_wait(lib, on_end):
    command = lib.Popen(SLEEPER)
    on_end.callback(command.wait)
    on_end.callback(command.kill)
    return lambda: command.wait()


def popen_read(lib, on_end):
    command = lib.Popen(SLEEPER, stdout=subprocess.PIPE, text=True)
    on_end.callback(command.stdout.close)
    on_end.callback(command.wait)
    on_end.callback(command.kill)
    return lambda: command.stdout.readline()


def in_with_block(lib, on_end):
    def call():
        with lib.Popen(SLEEPER, stdin=subprocess.PIPE) as command:
            on_end.callback(lambda: command.returncode is not None or os.abort())
            command.stdin.write(bytes(1_000_000))

    return call


def running(**options):
    def case(lib, on_end):
        return lambda: lib.run(SLEEPER, **options)

    return case


def check_output(lib, on_end):
    return lambda: lib.check_output(SLEEPER)


def waiting_for_child(call):
    def case(lib, on_end):
        child = subprocess.Popen(SLEEPER)
        on_end.callback(child.wait)
        on_end.callback(child.kill)
        return lambda: call(lib, child.pid)

    return case


def lock(lib, on_end):
    one = lib.Lock()
    one.acquire()
    return lambda: one.acquire()


def rlock(lib, on_end):
    one = lib.RLock()
    one.acquire()
    return lambda: one.acquire(timeout=1000)


def with_lock(lib, on_end):
    one = lib.Lock()
    one.acquire()

    def call():
        with one:
            pass

    return call


def condition(lib, on_end):
    one = lib.Condition()

    def call():
        with one:
            try:
                one.wait_for(lambda: False)
            finally:
                assert one._is_owned()

    return call


def thread(lib, on_end):
    go = threading.Event()
    one = lib.Thread(target=go.wait)
    one.start()
    on_end.callback(one.join)
    on_end.callback(go.set)
    return lambda: one.join()


def put(lib, on_end):
    one = lib.Queue(1)
    one.put(1)
    return lambda: one.put(2)


CASES = {
    "sleep": sleep,
    "recv": receiving(lambda s: s.recv(10)),
    "recv of all": receiving(lambda s: s.recv(10, socket.MSG_WAITALL)),
    "recv_into": receiving(lambda s: s.recv_into(bytearray(10))),
    "recvfrom": receiving(lambda s: s.recvfrom(10)),
    "recvfrom_into": receiving(lambda s: s.recvfrom_into(bytearray(10))),
    "recvmsg": receiving(lambda s: s.recvmsg(10)),
    "recvmsg_into": receiving(lambda s: s.recvmsg_into([bytearray(10)])),
    "recv with a time-out": receiving(lambda s: (s.settimeout(1000), s.recv(10))),
    "makefile": receiving(lambda s: s.makefile().readline()),
    "sendall": sendall,
    "sendmsg": sendmsg,
    "sendfile": sendfile,
    "accept": accept,
    "connect": connect,
    "connect to a path": connect_to_path,
    "select": select_,
    "poll": poll,
    "epoll": epoll,
    "SelectSelector": selecting("SelectSelector"),
    "PollSelector": selecting("PollSelector"),
    "EpollSelector": selecting("EpollSelector"),
    "read": read,
    "write": write,
    "flock": locking("flock"),
    "lockf": locking("lockf"),
    "Popen.wait": popen_wait,
    "Popen.stdout": popen_read,
    "with Popen": in_with_block,
    "run": running(),
    "run with output": running(capture_output=True),
    "run with input": running(input=bytes(1_000_000), stdout=subprocess.PIPE, timeout=1000),
    "check_output": check_output,
    "waitpid": waiting_for_child(lambda lib, pid: lib.waitpid(pid, 0)),
    "wait": waiting_for_child(lambda lib, pid: lib.wait()),
    "wait4": waiting_for_child(lambda lib, pid: lib.wait4(pid, 0)),
    "waitid": waiting_for_child(lambda lib, pid: lib.waitid(os.P_PID, pid, os.WEXITED)),
    "Lock": lock,
    "with Lock": with_lock,
    "RLock": rlock,
    "Condition": condition,
    "Event": lambda lib, on_end: lib.Event().wait,
    "Semaphore": lambda lib, on_end: lib.Semaphore(0).acquire,
    "BoundedSemaphore": lambda lib, on_end: (lambda s: (s.acquire(), s.acquire)[1])(lib.BoundedSemaphore(1)),
    "Barrier": lambda lib, on_end: lib.Barrier(2).wait,
    "Thread": thread,
    "Queue.get": lambda lib, on_end: lib.Queue().get,
    "Queue.put": put,
    "LifoQueue": lambda lib, on_end: lib.LifoQueue().get,
    "PriorityQueue": lambda lib, on_end: lib.PriorityQueue().get,
    "SimpleQueue": lambda lib, on_end: lib.SimpleQueue().get,
}


def waits(group):
    """Whether its only task waits, as a snapshot says."""
    running = group.join(0).running
    return bool(running and running[0].waits_for)


def is_blocked(group, ident):
    """The same, or whether it is in the pause of a call that is tried again."""
    if waits(group):
        return True
    frame = sys._current_frames().get(ident)
    return frame is not None and frame.f_code.co_name in ("pause", "thread_join", "_wait_for_tstate_lock", "join")


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class BlockedCall:
    """A task that is seen in a blocking call."""

    def __init__(self, call):
        self.group, self._ident = ThreadGroup("blocked", 1), []
        self.handle = self.group.add_task(lambda: (self._ident.append(threading.get_ident()), call())[1])
        wait_until(lambda: self.handle.done() or (self._ident and is_blocked(self.group, self._ident[0])))
        assert not self.handle.done(), self.handle.exception()

    def stop(self):
        """How long the call goes on."""
        begin = time.perf_counter()
        self.group.set_event("enough")
        assert self.handle.wait(20)
        return time.perf_counter() - begin


def stopped(call):
    blocked = BlockedCall(call)
    assert blocked.stop() < 2
    assert blocked.handle.status is TaskStatus.STOPPED, blocked.handle.exception()


@contextlib.contextmanager
def silent_server():
    """The port of a server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def line_of(ident):
    """The line that a thread is in, innermost."""
    frame = sys._current_frames().get(ident)
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno or 0) if frame is not None else ""


def is_at(ident, function, text):
    """Whether a thread is in a line with this text of this function, innermost."""
    frame = sys._current_frames().get(ident)
    return frame is not None and frame.f_code is function.__code__ and text in line_of(ident)


@contextlib.contextmanager
def interrupt_main_thread_at(function, text):
    """In this block, a Ctrl-C comes once the main thread is in a line with this text of this function."""
    is_over = threading.Event()

    def interrupt():
        main = threading.main_thread().ident
        wait_until(lambda: is_over.is_set() or is_at(main, function, text))
        if not is_over.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()

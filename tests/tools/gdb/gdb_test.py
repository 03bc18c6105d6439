#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What tools/gdb/threadgroup_gdb.py shows of hang.cpp, as a process and as a core file.

Usage: gdb_test.py PROGRAM. Exit status 77, which means skipped, if there is no gdb.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "tools/gdb/threadgroup_gdb.py"
PROGRAM = ""

# Looks until both tasks that wait for others are seen to wait.
STOP = """
break look
run
python
for _ in range(1000):
    if gdb.execute("tg-tree", to_string=True).count("waits for") == 2:
        break
    gdb.execute("continue", to_string=True)
end
"""
PRINTED = ["nightly", "search", "answer", "same", "point", "nothing", "taken", "broken", "none", "stopped", "skipped", "pending",
           "import", "joined", "results", "why", "snapshot", "port", "vault",
           "unnamed", "shield", "points", "meeting", "unlocked", "locked", "permits"]


def run_gdb(commands, *files):
    """What gdb prints for each command, by the command; the others' output is under ""."""
    with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
        script.write(f"set debuginfod enabled off\nset pagination off\nset width 0\nsource {SCRIPT}\n{commands}")
        script.flush()
        done = subprocess.run(["gdb", "-nx", "-batch", "-x", script.name, *files], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    parts = re.split(r"^## (.*)\n", done.stdout, flags=re.MULTILINE)
    shown = dict(zip(parts[1::2], (text.rstrip("\n") for text in parts[2::2])))
    shown[""] = done.stdout
    return shown


def asked(*commands):
    """The commands, and before each a line that names it."""
    return "".join(f"echo ## {command}\\n\n{command}\n" for command in commands)


def without_threads(tree):
    return re.sub(r"in thread \d+", "in thread N", tree)


class Gdb(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        core = f"{cls.folder.name}/core"
        looks = asked("tg-tree", "frame function main", "info signals SIG61", *(f"print {name}" for name in PRINTED), "thread apply all bt -frame-arguments none 40")
        cls.live = run_gdb(STOP + looks + asked(f"generate-core-file {core}"), PROGRAM)
        cls.core = run_gdb(looks, PROGRAM, core)

    def shows(self, expression, expected):
        """In the process and in the core file."""
        for where in (self.live, self.core):
            printed = where.get(f"print {expression}", where[""])
            self.assertRegex(printed, rf"\A\$\d+ = {expected}\Z")

    def test_tree_shows_groups_tasks_waits_and_events(self):
        tree = without_threads(self.live.get("tg-tree", self.live[""]))
        tree = re.sub(r"StopScope-\d+", "StopScope-N", tree)
        self.assertEqual(re.sub(r"hang.cpp:\d+", "hang.cpp:N", tree), """\
MainThread
|-- nightly  [0 pending, 2 running (import in thread N waits for group 'MainThread/nightly/users', \
task 7 in thread N waits for task 'import'), 5 done: 1 failed; bound 4]
|   `-- users  [1 pending, 1 running (ann in thread N), 0 done; bound 1]
|-- checks  [0 pending, 0 running, 3 done: 1 failed; bound 32]
|-- driver (call, abandoned by 'MainThread/gauges')  event: deadline at MainThread/gauges: 1 ms
|-- nested  [1 pending, 2 running (task 1 in thread N, child in thread N), 0 done; bound 1]
`-- StopScope-N (scope)
    `-- roll back (shield)
search (daemon)  [0 pending, 0 running, 2 done: 1 stopped, 1 skipped; bound 32]  \
event: requested at search: found\\nit (hang.cpp:N)""")

    def test_program_does_not_stop_at_the_signal_of_a_stop(self):
        self.assertRegex(self.live["info signals SIG61"], r"SIG61 +No\tNo\tYes")

    def test_tree_of_a_core_file_is_that_of_the_process(self):
        self.assertEqual(without_threads(self.core.get("tg-tree", self.core[""])), without_threads(self.live["tg-tree"]))

    def test_tree_names_the_threads_that_run_the_tasks(self):
        for where in (self.live, self.core):
            stacks = dict(re.findall(r"^Thread (\d+) (.*?)(?=^Thread|\Z)", where["thread apply all bt -frame-arguments none 40"],
                                     re.MULTILINE | re.DOTALL))
            for task, function in {"import": "import_users", "ann": "ann", "child": "child", "task 1": "child"}.items():
                thread = re.search(rf"\b{task} in thread (\d+)", where["tg-tree"])[1]
                self.assertIn(f"::{function} (", stacks[thread])

    def test_group_is_its_line_of_the_tree(self):
        self.shows("nightly", r"tg::ThreadGroup nightly  \[0 pending, 2 running \(import, task 7\), 5 done: 1 failed; "
                   r"bound 4\]")
        self.shows("search", r"tg::ThreadGroup search \(daemon\)  \[.*; bound 32\]  event: requested at search: .*")

    def test_handle_shows_name_status_and_result(self):
        self.shows("answer", r"tg::TaskHandle<int> 'answer', succeeded = \{result = 42\}")
        self.shows("same", r"tg::TaskHandle<int> 'answer', succeeded = \{result = 42\}")
        self.shows("point", r"tg::TaskHandle<.*Point> 'task 2', succeeded = \{result = \{x = 1, y = 2\}\}")
        self.shows("nothing", r"tg::TaskHandle<void> 'task 3', succeeded")
        self.shows("taken", r"tg::TaskHandle<std::vector<int.*> 'task 4', succeeded \(result taken\)")
        self.shows("none", r"tg::TaskHandle<int> of no task")
        self.shows("pending", r"tg::TaskHandle<int> 'task \d+', pending \(added at hang.cpp:\d+\)")
        self.shows("import", r"tg::TaskHandle<void> 'import', running \(added at hang.cpp:\d+\)")

    def test_handle_shows_exception_or_reason(self):
        self.shows("broken", r"tg::TaskHandle<int> 'broken', failed = \{exception = std::runtime_error: no disk\}")
        reason = r"\{reason = requested at search: found\\nit \(hang.cpp:\d+\)\}"
        self.shows("stopped", r"tg::TaskHandle<int> 'task 1', stopped = " + reason)
        self.shows("skipped", r"tg::TaskHandle<int> 'late', skipped = " + reason)
        self.shows("why", r"requested at search: found\\nit \(hang.cpp:\d+\)")

    def test_lists_show_what_is_in_them(self):
        self.shows("joined", r"done: 4 succeeded, 1 failed = "
                   r"\{failure of broken = std::runtime_error: no disk \(added at hang.cpp:\d+\)\}")
        self.shows("results", r"tg::ResultList of 3 = \{\[0\] = \(function=twice; result=42\), "
                   r"\[1\] = \(function=root; failed=std::domain_error: below zero\), \[2\] = \(function=say; result=void\)\}")
        self.shows("snapshot", r"""tg::ForestSnapshot of 4 nodes
MainThread
\|-- nightly  \[0 pending, 0 running, 5 done: 1 failed\]
`-- checks  \[0 pending, 0 running, 3 done: 1 failed\]
search \(daemon\)  \[.*\]  event: requested at search: found\\nit \(hang.cpp:\d+\)""")

    def test_vault_shows_the_keys_that_hold_a_value(self):
        self.shows("port", r"tg::Key<int> 'port'")
        self.shows("vault", r"tg::Vault 'state' = \{port = 80, place = \{x = 3, y = 4\}\}")

    def test_scopes_and_what_tasks_share_are_shown(self):
        self.shows("unnamed", r"tg::StopScope StopScope-\d+ \(scope\)")
        self.shows("shield", r"tg::Shield roll back \(shield\)")
        self.shows("points", r"tg::Channel<.*Point>, 2 of 2, closed = \{\[0\] = \{x = 2, y = 4\}, \[1\] = \{x = 3, y = 6\}\}")
        self.shows("meeting", r"tg::Channel<int>, 0 of 0")
        self.shows("unlocked", r"tg::Mutex, free")
        self.shows("locked", r"tg::Mutex, held")
        self.shows("permits", r"tg::Semaphore of 2")

    def test_what_does_not_fit_is_said_in_words(self):
        shown = run_gdb("break look\nrun\nframe function main\nset var *(long*)&answer = 0x1234\n" + asked("print answer") + """
echo ## a missing field\\n
python
import threadgroup_gdb_structures as structures
structures.slot_of_handle = lambda handle: structures.field(handle, "gone")
end
print point
""", PROGRAM)
        self.assertRegex(shown["print answer"], r"\A\$1 = <damaged or missing memory: Cannot access memory at address 0x\w+>\Z")
        self.assertRegex(shown["a missing field"],
                         r"\A\$2 = <the printers do not fit this version: tg::TaskHandle<.*Point> has no field gone>\Z")

    def test_damaged_list_ends_the_tree(self):
        first = "tg::v0::detail::Forest::only_.first_root_"
        shown = run_gdb(f"break look\nrun\nset var {first}->next_sibling = {first}\n" + asked("tg-tree"), PROGRAM)
        self.assertIn("tg-tree: damaged memory: a list of tg::detail::NodeCore leads back to itself", shown["tg-tree"])

    def test_program_without_the_library_is_named(self):
        shown = run_gdb("tg-tree\n", "/bin/true")
        self.assertIn("tg-tree: no symbol tg::detail::Forest::only_: the program does not use the library", shown[""])

    def test_nothing_is_thrown_out_of_a_printer(self):
        for where in (self.live, self.core):
            self.assertNotRegex(where[""], "Python Exception|Traceback|RTTI symbol")


if __name__ == "__main__":
    if shutil.which("gdb") is None:
        print("SKIPPED: there is no gdb; `apt-get install gdb`")
        sys.exit(77)
    PROGRAM = str(Path(sys.argv.pop()).resolve())
    unittest.main()

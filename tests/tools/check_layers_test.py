#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/check_layers: each kind of violation, planted in a small house, is found; the clean house passes."""
import importlib.machinery
import importlib.util
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "check_layers"


def load_tool():
    """The script as a module: a hundred small houses are checked faster than a hundred processes start."""
    sys.dont_write_bytecode = True  # tools/ is no place for caches
    loader = importlib.machinery.SourceFileLoader("check_layers", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


check_layers = load_tool()
LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"

CLEAN = {
    "include/threadgroup/threadgroup.hpp": "#include <threadgroup/group/face.hpp>\n",
    "include/threadgroup/base/mutex.hpp": "#include <mutex>\nstd::mutex m;\n",
    "include/threadgroup/runtime/flow.hpp": "#include <threadgroup/base/mutex.hpp>\n",
    "include/threadgroup/group/face.hpp": "#include <threadgroup/event/event.hpp>\nstd::stop_token token;\n",
    "include/threadgroup/event/event.hpp": "#include <threadgroup/runtime/flow.hpp>\n",
    "include/threadgroup/result/print_fmt.hpp": "#include <fmt/format.h>\n",
    "include/threadgroup/vault_json/json.hpp": "#include <nlohmann/json.hpp>\n",
    "src/runtime/flow.cpp": "thread_local int x; void f() { std::this_thread::yield(); std::thread t; }\n",
    "src/event/event.cpp": '#include "threadgroup/event/event.hpp"\n#include <fmt/format.h>\n'
                           '// std::thread in a comment\nconst char* s = "std::thread";\n'
                           'auto r = R"(thread_local " )"; /* futex\n sleep_for */ int n = 1\'000\'000;\n',
    "tests/event/event_test.cpp": "std::thread t;\n",
    "tests/stress/anything_test.cpp": "\n",
}


class CheckLayers(unittest.TestCase):
    def house(self, changes):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, text in {**CLEAN, **changes}.items():
            path = Path(folder.name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text if text.startswith("!") else LICENCE + text)
        return Path(folder.name)

    def found_in(self, changes):
        return check_layers.violations(self.house(changes))

    def assert_found(self, rule, name, text, line=2):
        found = self.found_in({name: text})
        self.assertEqual(len(found), 1, f"in {text!r}: {found}")
        self.assertTrue(found[0].startswith(f"{name}:{line}: [{rule}]"), found[0])

    def run_tool(self, root):
        done = subprocess.run([sys.executable, TOOL, root], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_clean_house_passes(self):
        self.assertEqual(self.run_tool(self.house({})), (0, "check_layers: the house is in order\n", ""))

    def test_violation_fails_the_script_and_is_printed(self):
        status, out, _ = self.run_tool(self.house({"src/x.cpp": "\n", "tests/misc/x_test.cpp": "\n"}))
        self.assertEqual((status, out.count("\n")), (1, 2))

    def test_include_to_the_right_is_found(self):
        for include in ("<threadgroup/group/face.hpp>", '"threadgroup/group/face.hpp"', '"group/face.hpp"'):
            self.assert_found("layer", "include/threadgroup/pool/queue.hpp", f"#include {include}\n")

    def test_vault_sees_no_groups_and_no_tree(self):
        for layer in ("group", "tree", "pool", "result"):
            self.assert_found("layer", "include/threadgroup/vault/vault.hpp", f"#include <threadgroup/{layer}/x.hpp>\n")

    def test_registry_and_observe_do_not_see_each_other(self):
        self.assert_found("layer", "include/threadgroup/registry/r.hpp", "#include <threadgroup/observe/o.hpp>\n")
        self.assert_found("layer", "include/threadgroup/observe/o.hpp", "#include <threadgroup/registry/r.hpp>\n")

    def test_header_that_brings_all_is_not_for_layers(self):
        self.assert_found("layer", "include/threadgroup/group/x.hpp", "#include <threadgroup/threadgroup.hpp>\n")

    def test_include_that_climbs_out_is_found(self):
        found = self.found_in({"include/threadgroup/pool/queue.hpp": '#include "../base/mutex.hpp"\n'})
        self.assertIn("queue.hpp:2: [layer] includes start at", found[0])

    def test_source_without_its_header_is_found(self):
        self.assert_found("place", "src/pool/queue.cpp", "\n", line=1)
        self.assertEqual(self.found_in({"src/pool/queue.cpp": "\n", "src/pool/queue.hpp": "\n"}), [])

    def test_file_outside_the_layers_is_found(self):
        self.assert_found("place", "include/threadgroup/utils/x.hpp", "\n", line=1)
        self.assert_found("place", "src/x.cpp", "\n", line=1)
        self.assert_found("place", "tests/misc/x_test.cpp", "\n", line=1)

    def test_engine_names_outside_runtime_are_found(self):
        for text in ("std::thread t;", "std::jthread t;", "std::condition_variable c;", "std::condition_variable_any c;",
                     "std::this_thread::get_id();", "sleep_for(d);", "nanosleep(&t, 0);", "syscall(SYS_futex);",
                     "futex_wake(1);", "auto t = std::chrono::steady_clock::now();", "pthread_create(0);",
                     "thread_local int x;", "std::latch l{1};", "std::async(f);"):
            self.assert_found("engine", "include/threadgroup/pool/queue.hpp", f"int a;  {text}\n")

    def test_code_after_a_comment_or_literal_is_still_read(self):
        for text in ("/* a */ std::thread t;", 'f("//"); std::thread t;', "int n = 1'0; std::thread t;",
                     'auto r = R"x()" )x"; std::thread t;', r"char c = '\''; std::thread t;"):
            self.assert_found("engine", "include/threadgroup/pool/queue.hpp", f"{text}\n")

    def test_locks_come_from_base(self):
        for text in ("std::mutex m;", "std::unique_lock l(m);", "std::recursive_mutex m;", "std::shared_mutex m;"):
            self.assert_found("lock", "src/event/event.hpp", f"{text}\n")

    def test_sleeping_test_is_found(self):
        self.assert_found("test", "tests/event/event_test.cpp", "std::this_thread::sleep_for(d);\n")

    def test_third_party_in_public_header_is_found(self):
        self.assert_found("public", "include/threadgroup/pool/queue.hpp", "#include <fmt/format.h>\n")
        self.assert_found("public", "include/threadgroup/vault/v.hpp", "#include <nlohmann/json.hpp>\n")
        self.assert_found("public", "include/threadgroup/vault_json/v.hpp", "#include <fmt/format.h>\n")

    def test_missing_licence_is_found(self):
        for name in ("include/threadgroup/base/x.hpp", "tests/stress/x_test.cpp", "cmake/x.cmake", "dev", "tools/x",
                     "examples/x.cpp", "bench/a/x.cpp", "CMakeLists.txt", ".ci/run"):
            self.assert_found("licence", name, "!\n", line=1)


if __name__ == "__main__":
    unittest.main()

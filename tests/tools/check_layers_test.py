#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/check_layers: each kind of violation, planted in a small house, is found; the clean house passes."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "check_layers"
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
    def run_on(self, changes):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**CLEAN, **changes}.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text if text.startswith("!") else LICENCE + text)
            done = subprocess.run([sys.executable, TOOL, folder], capture_output=True, text=True, check=False)
            self.assertEqual(done.stderr, "")
            return done

    def assert_found(self, rule, name, text, line=2):
        done = self.run_on({name: text})
        self.assertEqual(done.returncode, 1, f"not found: {text!r}")
        self.assertEqual(done.stdout.count("\n"), 1, done.stdout)
        self.assertTrue(done.stdout.startswith(f"{name}:{line}: [{rule}]"), done.stdout)

    def test_clean_house_passes(self):
        done = self.run_on({})
        self.assertEqual((done.returncode, done.stdout), (0, "check_layers: the house is in order\n"))

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
        done = self.run_on({"include/threadgroup/pool/queue.hpp": '#include "../base/mutex.hpp"\n'})
        self.assertIn("queue.hpp:2: [layer] includes start at", done.stdout)

    def test_source_without_its_header_is_found(self):
        self.assert_found("place", "src/pool/queue.cpp", "\n", line=1)
        self.assertEqual(self.run_on({"src/pool/queue.cpp": "\n", "src/pool/queue.hpp": "\n"}).returncode, 0)

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

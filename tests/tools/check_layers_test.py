#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/check_layers: each kind of violation, planted in a small house, is found; the clean house passes."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from load_tool import load_tool

TOOL = Path(__file__).resolve().parents[2] / "tools" / "check_layers"


check_layers = load_tool("check_layers")
UNGUARDED = "// a header without `#pragma once`\n"
LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"

CLEAN = {
    "include/threadgroup/core.hpp": "#include <threadgroup/thread_group.hpp>\n",
    "include/threadgroup/threadgroup.hpp": "#include <threadgroup/core.hpp>\n",
    "include/threadgroup/detail/mutex.hpp": "#include <mutex>\nstd::mutex m;\n",
    "include/threadgroup/detail/wait_queue.hpp": "#include <threadgroup/detail/mutex.hpp>\n",
    "include/threadgroup/thread_group.hpp": "#include <threadgroup/detail/wait_queue.hpp>\nstd::stop_token token;\n",
    "include/threadgroup/print_fmt.hpp": "#include <fmt/format.h>\n",
    "include/threadgroup/vault_json.hpp": "#include <nlohmann/json.hpp>\n",
    "src/runtime/flow.hpp": "#include <threadgroup/detail/mutex.hpp>\n",
    "src/runtime/flow.cpp": '#include "runtime/flow.hpp"\n'
                            "thread_local int x; void f() { std::this_thread::yield(); word.notify_one(); }\n",
    "src/event/event.hpp": '#include "runtime/flow.hpp"\n',
    "src/event/event.cpp": '#include "event/event.hpp"\n#include <fmt/format.h>\n'
                           '// std::thread in a comment\nconst char* s = "std::thread";\n'
                           'auto r = R"(thread_local " )"; /* futex\n sleep_for */ int n = 1\'000\'000;\n'
                           "void f() { flow.wait(deadline); std::atomic_thread_fence(order); }\n",
    "src/event/wait_queue.cpp": "#include <threadgroup/detail/wait_queue.hpp>\n",
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
            guard = "#pragma once\n" if path.suffix == ".hpp" and text != UNGUARDED else ""
            path.write_text((text if text.startswith("!") else LICENCE + text) + guard)
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

    def test_library_code_outside_of_the_inline_namespace_is_found(self):
        config = "#include <threadgroup/detail/config.hpp>\n"
        clean = {"include/threadgroup/detail/config.hpp": "namespace tg {\ninline namespace v0 {}\n}\n",
                 "include/threadgroup/duration.hpp": config + "namespace tg {\ninline namespace v0 {}\n}\nnamespace tg::inline v0::detail {}\n"}
        self.assertEqual(self.found_in(clean), [])
        found = self.found_in({**clean, "include/threadgroup/reason.hpp": config + "namespace tg {}\n"})
        self.assertIn("[abi] `namespace tg {` continues", "".join(found))
        found = self.found_in({**clean, "include/threadgroup/reason.hpp": "namespace tg::detail {}\n"})
        self.assertIn("[abi] write `namespace tg::inline v0::...`", "".join(found))

    def test_clean_house_passes(self):
        self.assertEqual(self.run_tool(self.house({})), (0, "check_layers: the house is in order\n", ""))

    def test_violation_fails_the_script_and_is_printed(self):
        status, out, _ = self.run_tool(self.house({"src/x.cpp": "\n", "tests/misc/x_test.cpp": "\n"}))
        self.assertEqual((status, out.count("\n")), (1, 2))

    def test_include_to_the_right_is_found(self):
        self.assert_found("layer", "src/pool/queue.hpp", "#include <threadgroup/thread_group.hpp>\n")
        self.assert_found("layer", "src/pool/queue.hpp", '#include "group/face.hpp"\n')
        self.assert_found("layer", "include/threadgroup/options.hpp", "#include <threadgroup/thread_group.hpp>\n")

    def test_vault_sees_no_groups_and_no_tree(self):
        for layer in ("group", "tree", "pool", "result"):
            self.assert_found("layer", "src/vault/x.hpp", f'#include "{layer}/x.hpp"\n')
            self.assert_found("layer", "src/vault_json/x.hpp", f'#include "{layer}/x.hpp"\n')
        self.assert_found("layer", "include/threadgroup/detail/vault/x.hpp", "#include <threadgroup/results.hpp>\n")

    def test_registry_and_observe_do_not_see_each_other(self):
        self.assert_found("layer", "src/registry/r.hpp", '#include "observe/o.hpp"\n')
        self.assert_found("layer", "include/threadgroup/progress.hpp", "#include <threadgroup/map.hpp>\n")

    def test_header_that_brings_all_is_not_for_layers(self):
        for name in ("core", "threadgroup"):
            self.assert_found("layer", "src/group/x.hpp", f"#include <threadgroup/{name}.hpp>\n")

    def test_public_header_does_not_include_a_private_one(self):
        self.assert_found("public", "include/threadgroup/options.hpp", '#include "base/spin.hpp"\n')

    def test_include_that_climbs_out_is_found(self):
        found = self.found_in({"src/pool/queue.hpp": '#include "../base/mutex.hpp"\n'})
        self.assertIn("queue.hpp:2: [layer] includes start at", found[0])

    def test_private_include_without_its_layer_is_found(self):
        self.assert_found("layer", "src/pool/queue.hpp", '#include "task_list.hpp"\n')

    def test_unknown_public_header_is_found(self):
        self.assert_found("place", "include/threadgroup/utils.hpp", "\n", line=1)
        self.assert_found("place", "include/threadgroup/base/x.hpp", "\n", line=1)
        self.assert_found("layer", "src/pool/queue.hpp", "#include <threadgroup/base/x.hpp>\n")

    def test_source_without_its_header_is_found(self):
        self.assert_found("place", "src/pool/queue.cpp", "\n", line=1)
        own = {"src/pool/queue.cpp": '#include "pool/queue.hpp"\n', "src/pool/queue.hpp": "\n"}
        self.assertEqual(self.found_in(own), [])

    def test_source_with_the_name_of_another_layers_header_is_found(self):
        self.assert_found("place", "src/pool/wait_queue.cpp", "#include <threadgroup/detail/wait_queue.hpp>\n", line=1)

    def test_own_header_that_is_not_first_is_found(self):
        for text in ("#include <string>\n", "int x;\n"):
            found = self.found_in({"src/event/event.cpp": text + "#include <vector>\n"})
            self.assertEqual(len(found), 1)
            self.assertIn('[place] the first include is "event/event.hpp"', found[0])

    def test_header_that_may_be_read_twice_is_found(self):
        self.assert_found("guard", "src/pool/queue.hpp", UNGUARDED, line=1)

    def test_file_outside_the_layers_is_found(self):
        self.assert_found("place", "src/utils/x.hpp", "\n", line=1)
        self.assert_found("place", "src/pool/deep/x.hpp", "\n", line=1)
        self.assert_found("place", "src/x.cpp", "\n", line=1)
        self.assert_found("place", "tests/misc/x_test.cpp", "\n", line=1)

    def test_engine_names_outside_runtime_are_found(self):
        for text in ("std::thread t;", "std::jthread t;", "std::condition_variable c;", "std::condition_variable_any c;",
                     "std::this_thread::get_id();", "sleep_for(d);", "nanosleep(&t, 0);", "syscall(SYS_futex);",
                     "futex_wake(1);", "auto t = std::chrono::steady_clock::now();", "pthread_create(0);",
                     "thread_local int x;", "std::latch l{1};", "std::async(f);", "word.notify_one();",
                     "word->notify_all();", "state_.wait(kHeld, std::memory_order_relaxed);",
                     "std::atomic_wait(&word, 1);"):
            self.assert_found("engine", "src/pool/queue.hpp", f"int a;  {text}\n")

    def test_wait_on_an_atomic_without_a_memory_order_is_found_too(self):
        self.assert_found("engine", "src/pool/queue.hpp", "Atomic<std::uint32_t> word_{0}; void f() { word_.wait(0); }\n")
        self.assert_found("engine", "src/pool/queue.hpp", "std::array<Atomic<int>, 4> words; void f() { words[i + 1].wait(0); }\n")
        declared = {"src/pool/queue.hpp": "detail::Atomic<Flow*> head_{nullptr};\n"}
        found = self.found_in({**declared, "src/pool/queue.cpp": '#include "pool/queue.hpp"\nvoid Q::f() { this->head_.wait(p); }\n'})
        self.assertIn("src/pool/queue.cpp:3: [engine] head_.wait: parking", "".join(found))
        other = {**declared, "src/pool/queue.cpp": '#include "pool/queue.hpp"\nvoid f() { waiter.wait(p); }\n'}
        self.assertEqual(self.found_in(other), [])

    def test_member_of_a_class_of_another_header_is_found(self):
        headers = {"src/pool/queue.hpp": "class TG_EXPORT(x) Queue final : public List {\n};\n", "src/pool/list.hpp": "class List {\n};\n"}
        own = ('#include "pool/queue.hpp"\nclass Part {};\nPart::Part() {}\nQueue::Queue() : List(1) {}\nconst List& Queue::f(List::Kind kind) {\n'
               "  List::g();\n}\nint Queue::count = List::kMost;\ntg::List g() {}\n")
        self.assertEqual(self.found_in({**headers, "src/pool/queue.cpp": own}), [])
        for text in ("void List::g() const {}", "std::vector<int> List::Inner::g(", "List::~List() {}", "int List::count{0};",
                     "bool List::operator==(const List& other) const {}"):
            found = self.found_in({**headers, "src/pool/queue.cpp": f'#include "pool/queue.hpp"\n{text}\n'})
            self.assertEqual(found, ["src/pool/queue.cpp:3: [place] a member of List, which is not declared in src/pool/queue.hpp"], text)

    def test_code_after_a_comment_or_literal_is_still_read(self):
        for text in ("/* a */ std::thread t;", 'f("//"); std::thread t;', "int n = 1'0; std::thread t;",
                     'auto r = R"x()" )x"; std::thread t;', r"char c = '\''; std::thread t;"):
            self.assert_found("engine", "src/pool/queue.hpp", f"{text}\n")

    def test_name_that_a_source_declares_for_itself_and_does_not_use_is_found(self):
        header = '#include <threadgroup/detail/wait_queue.hpp>\n'
        for line in ("using std::string;\n", "namespace fs = std::filesystem;\n"):
            self.assert_found("unused", "src/event/wait_queue.cpp", header + line + "// string fs\n", line=3)
        included = header + "#include <string>\nusing std::string;\nstd::string f();\n"
        self.assertEqual(self.found_in({"src/event/wait_queue.cpp": included}),
                         ["src/event/wait_queue.cpp:4: [unused] `string` is not used"])
        used = header + "using std::string;\nnamespace fs = std::filesystem;\nstring f(fs::path);\n"
        self.assertEqual(self.found_in({"src/event/wait_queue.cpp": used}), [])

    def test_locks_come_from_one_header(self):
        for text in ("std::mutex m;", "std::unique_lock l(m);", "std::recursive_mutex m;", "std::shared_mutex m;"):
            self.assert_found("lock", "src/pool/queue.hpp", f"{text}\n")

    def test_atomics_come_from_one_header(self):
        for text in ("std::atomic<int> n;", "std::atomic_ref<int> n(x);", "constinit std::atomic_flag f;"):
            self.assert_found("atomic", "src/pool/queue.hpp", f"{text}\n")
        self.assertEqual(self.found_in({"src/runtime/fork.hpp": "std::atomic<int> n;\n"}), [])
        self.assert_found("atomic", "src/pool/fork.hpp", "std::atomic<int> n;\n")

    def test_call_that_a_stop_may_end_is_found(self):
        for text in ("n = ::read(fd, p, 1);", "call = {.write = ::write};", "while (::poll(&one, 1, -1) < 0) {"):
            self.assert_found("own", "src/event/event.hpp", f"{text}\n")
        for text in ("::fcntl(fd, F_GETFD);", "runtime::own::read(fd, p, 1);", "poll.read(x);", "void Reader::read() {}"):
            self.assertEqual(self.found_in({"src/event/event.hpp": f"{text}\n"}), [])
        for header in ("src/posix/polled_x.hpp", "src/interpose/x.hpp"):
            self.assertEqual(self.found_in({header: "n = ::read(fd, p, 1);\n"}), [])
        for header in ("src/posix/x.hpp", "python/src/x.hpp"):
            self.assert_found("own", header, "n = ::read(fd, p, 1);\n")

    def test_unnamed_namespace_of_a_test_that_is_compiled_with_others_is_found(self):
        self.assert_found("test", "tests/sync/mutex_test.cpp", "namespace {\n}\n")
        self.assertEqual(self.found_in({"tests/sync/mutex_test.cpp": "namespace mutex_test {\nnamespace {\n}\n}\n"}), [])
        self.assertEqual(self.found_in({"tests/sweep/event_test.cpp": "namespace {\n}\n"}), [])

    def test_sleeping_test_is_found(self):
        self.assert_found("test", "tests/event/event_test.cpp", "std::this_thread::sleep_for(d);\n")

    def test_third_party_in_public_header_is_found(self):
        self.assert_found("public", "include/threadgroup/options.hpp", "#include <fmt/format.h>\n")
        self.assert_found("public", "include/threadgroup/vault.hpp", "#include <nlohmann/json.hpp>\n")
        self.assert_found("public", "include/threadgroup/detail/vault_json/v.hpp", "#include <fmt/format.h>\n")

    def test_missing_licence_is_found(self):
        for name in ("include/threadgroup/options.hpp", "tests/stress/x_test.cpp", "cmake/x.cmake", "dev", "tools/x",
                     "examples/x.cpp", "bench/a/x.cpp", "CMakeLists.txt", ".ci/run"):
            self.assert_found("licence", name, "!\n", line=1)

    def test_licence_line_that_runs_into_text_is_found(self):
        self.assert_found("licence", "tests/stress/x_test.cpp", "!/" + LICENCE.rstrip() + " What it is.\n", line=1)


if __name__ == "__main__":
    unittest.main()

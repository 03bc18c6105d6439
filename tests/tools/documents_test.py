#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/check_docs and tools/extract_programs on small documents."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"


class Documents(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run_tool(self, tool, *arguments):
        return subprocess.run([sys.executable, TOOLS / tool, *arguments], capture_output=True, text=True, check=False)

    def test_links_to_files_and_headings_pass(self):
        self.write("README.md", "# Top\n[guide](docs/guide.md#the-first-group) [web](https://example.org) [up](#top)\n")
        self.write("docs/guide.md", "## The first `group`\n```c++\na[i](x);\n```\n[back](../README.md)\n")
        self.assertEqual(self.run_tool("check_docs", self.root).returncode, 0)

    def test_dead_file_and_dead_heading_are_found(self):
        self.write("README.md", "\n[a](docs/none.md)\n[b](#none)\n")
        done = self.run_tool("check_docs", self.root)
        self.assertEqual(done.returncode, 1)
        self.assertIn("README.md:2: docs/none.md does not exist", done.stdout)
        self.assertIn("README.md:3: #none: no such heading", done.stdout)

    def faults_of_invariants(self, sources, table):
        for name, text in sources.items():
            self.write(name, text)
        self.write("docs/design.md", table)
        return self.run_tool("check_docs", self.root).stdout.splitlines()

    def test_decision_without_status_alternatives_or_successor_is_found(self):
        self.write("docs/decisions.md", "# Decisions\n\n## Good\n\nStatus: in force; changed since. Alternatives:\nnone.\n\nWhy.\n"
                   "\n## Old\n\nStatus: superseded by \"Good\". Alternatives: many.\n")
        self.assertEqual(self.run_tool("check_docs", self.root).returncode, 0)
        self.write("docs/decisions.md", "# Decisions\n\n## A\n\nBecause.\n\n## B\n\nStatus: in force.\n\nAlternatives: late.\n"
                   "\n## C\n\nStatus: superseded by \"D\". Alternatives: many.\n")
        self.assertEqual(self.run_tool("check_docs", self.root).stdout.splitlines(),
                         ["docs/decisions.md:3: 'A' has no status", "docs/decisions.md:7: 'B' names no alternatives",
                          "docs/decisions.md:13: 'C' is superseded by an entry that is not there"])

    FOREST = "//   T1. A set parent has set children.\n//   T2. The first reason wins.\nint x;  // T2\n"
    TABLE = "| T1, T2 | the tree | `forest.hpp` |\n"

    def test_invariants_that_are_listed_pass(self):
        sources = {"src/tree/forest.hpp": self.FOREST, "src/pool/README.md": "As T1 says.\nP3. *Each task* runs.\n"}
        table = self.TABLE + "| P3 | the pool | `src/pool/README.md` |\n"
        self.assertEqual(self.faults_of_invariants(sources, table.replace("src/pool/", "")),
                         ["src/pool/README.md:2: docs/design.md:2 does not name src/pool/README.md for P3"])
        self.assertEqual(self.faults_of_invariants(sources, table),
                         ["check_docs: all links of 2 documents lead somewhere, decisions have a status, and all invariants are listed"])

    def test_second_definition_is_found(self):
        sources = {"src/tree/forest.hpp": self.FOREST, "src/tree/turns.hpp": "// T1. At most one has the turn.\n"}
        self.assertEqual(self.faults_of_invariants(sources, self.TABLE),
                         ["src/tree/turns.hpp:1: T1 is also defined in src/tree/forest.hpp:1"])

    def test_letter_with_a_second_meaning_is_found(self):
        sources = {"src/tree/forest.hpp": self.FOREST, "src/tree/turns.hpp": "// T3. At most one has the turn.\n"}
        self.assertEqual(self.faults_of_invariants(sources, self.TABLE), ["src/tree/turns.hpp:1: T3 is not listed in docs/design.md"])
        self.assertEqual(self.faults_of_invariants(sources, "| T1, T2, T3 | the tree | `forest.hpp` |\n"),
                         ["src/tree/turns.hpp:1: docs/design.md:1 does not name turns.hpp for T3"])
        self.assertEqual(self.faults_of_invariants(sources, self.TABLE + "| T3 | turns | `turns.hpp` |\n"),
                         ["docs/design.md:2: the letter T is also in line 1"])

    def test_mention_of_an_invariant_that_is_gone_is_found(self):
        sources = {"src/tree/forest.hpp": self.FOREST, "src/tree/forest.cpp": "int y;  // T4\n// U8 is no letter of ours\n"}
        self.assertEqual(self.faults_of_invariants(sources, self.TABLE), ["src/tree/forest.cpp:1: T4 is not defined"])
        self.assertEqual(self.faults_of_invariants({"src/tree/forest.cpp": ""}, "| T1, T2, T5 | the tree | `forest.hpp` |\n"),
                         ["docs/design.md:1: T5 is not defined"])

    def test_words_of_a_translation_are_found(self):
        for text in ("// Whoever sets it", "TEST(Gate, lets_somebody_in) {", "// the task is told to stop", "// open for good"):
            self.write("src/x.cpp", f"\n{text}\n")
            done = self.run_tool("check_docs", self.root)
            self.assertEqual(done.returncode, 1, text)
            self.assertTrue(done.stdout.startswith("src/x.cpp:2: '"), done.stdout)

    def test_the_user_nobody_and_other_words_pass(self):
        self.write("src/x.cpp", 'f("nobody");  // a stand-in for goods; told apart\n')
        self.assertEqual(self.run_tool("check_docs", self.root).returncode, 0)

    def test_programs_are_extracted_and_fragments_left(self):
        page = self.write("Page.md", "x\n```cpp\nint main() {}\n```\n```c++\nf();\n```\n```cpp\nint main() { }\n```\n")
        done = self.run_tool("extract_programs", self.root / "out", page)
        self.assertEqual(done.stdout.splitlines(), [f"{self.root}/out/page_1.cpp", f"{self.root}/out/page_2.cpp"])
        self.assertEqual((self.root / "out/page_1.cpp").read_text(), f'#line 3 "{page.resolve()}"\nint main() {{}}\n')

    def test_text_below_a_program_is_what_it_prints(self):
        page = self.write("page.md", "```cpp\nint main() {}\n```\n\n```text\na\n```\n```cpp\nint main() {}\n```\nx\n```text\n```\n")
        self.run_tool("extract_programs", self.root / "out", page)
        self.assertEqual((self.root / "out/page_1.expected").read_text(), "a\n")
        self.assertFalse((self.root / "out/page_2.expected").exists())

    def test_fragment_marked_as_program_is_refused(self):
        page = self.write("page.md", "```cpp\nf();\n```\n")
        done = self.run_tool("extract_programs", self.root / "out", page)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("page.md:2: a cpp block is a whole program", done.stderr)


if __name__ == "__main__":
    unittest.main()

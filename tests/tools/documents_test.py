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

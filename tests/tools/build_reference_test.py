#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/build_reference: what doxygen reads instead of a header or a page, and what is found in its XML."""
import sys
import tempfile
import unittest
from pathlib import Path

from load_tool import load_tool

TOOL = Path(__file__).resolve().parents[2] / "tools" / "build_reference"


build_reference = load_tool("build_reference")

HEADER = """// SPDX-License-Identifier: Apache-2.0
// What it is.
#pragma once
// private
/// A thing.
///
/// Thread safety: none.
class Thing {
  Thing(const Thing&) = delete;
  /// Compares.
  friend bool operator==(Thing, Thing) = default;
};
"""


class Headers(unittest.TestCase):
    def setUp(self):
        self.lines = build_reference.filtered_header(HEADER).split("\n")

    def test_lines_keep_their_numbers(self):
        self.assertEqual(len(self.lines), HEADER.count("\n") + 1)
        self.assertEqual(self.lines[7], "class Thing {")

    def test_the_first_sentence_describes_the_file_and_other_comments_stay_private(self):
        self.assertEqual(self.lines[:2], ["/// \\file", "/// What it is."])
        self.assertEqual(self.lines[3], "// private")

    def test_the_parts_of_a_class_comment_get_headings(self):
        self.assertEqual(self.lines[6], "/// \\ThreadSafety None.")

    def test_the_inline_namespace_and_export_marks_vanish(self):
        text = "// l\n// f\n#pragma once\nnamespace tg {\ninline namespace v0 {\nclass TG_EXPORT A;\n}  // namespace v0\n}  // namespace tg\n"
        self.assertEqual(build_reference.filtered_header(text).split("\n")[3:8],
                         ["namespace tg {", "", "class A;", "", "}  // namespace tg"])

    def test_deleted_functions_vanish_and_documented_defaults_stay(self):
        self.assertEqual(self.lines[8], "")
        self.assertIn("operator==", self.lines[10])


class Pages(unittest.TestCase):
    def page(self, text, name="guide"):
        return build_reference.filtered_page(text, name)

    def test_headings_get_labels_and_links_lead_to_them(self):
        self.assertEqual(self.page("## The `first` group\n"), "## The `first` group {#guide-the-first-group}\n")
        self.assertEqual(self.page("[a](signals.md#the-end) [b](#top)"), "[a](@ref signals-the-end) [b](@ref guide-top)")
        self.assertEqual(self.page("[all](reference.md)"), "[all](@ref index)")

    def test_links_to_headers_lead_to_their_pages_and_links_to_other_files_become_text(self):
        self.assertEqual(self.page("[map](../include/threadgroup/map.hpp)"), "[map](@ref map.hpp)")
        self.assertEqual(self.page("[why](decisions.md) [c](../examples/c.cpp) [guide](guide.md)"), "why c [guide](guide.md)")

    def test_pages_are_those_that_doxygen_reads(self):
        for page in ("reference", "guide", "channels", "scopes", "keeping_up", "going_down", "python"):
            self.assertIn(page, build_reference.PAGES)
        self.assertEqual(self.page("[a](channels.md) [b](scopes.md#shields)"), "[a](channels.md) [b](@ref scopes-shields)")

    def test_links_to_a_page_for_users_that_doxygen_does_not_read_are_found(self):
        text = "[a](guide.md#top) [why](decisions.md) [c](../README.md) [d](https://x.org/y.md)\n```c++\n[](new.md)\n```\n"
        self.assertEqual(list(build_reference.lost_links(text)), [])
        self.assertEqual(list(build_reference.lost_links(text + "[e](new.md#top) [f](other.md)")), ["new.md#top", "other.md"])

    def test_code_stays_as_it_is(self):
        code = "```c++\n## not a heading\n[](int a) { a[0](1); }\n```\n"
        self.assertEqual(self.page(code), code)

    def test_code_with_a_quote_ends_where_it_ends(self):
        self.assertEqual(self.page("`group 'a'` and `b`"), "``group 'a'`` and `b`")

    def test_names_in_the_tables_of_the_reference_become_links(self):
        row = "| [m.hpp](../include/threadgroup/m.hpp) | `map`, `TG_X`, `std::map` |"
        self.assertIn('<code>@ref tg::map "map"</code>, <code>@ref TG_X "TG_X"</code>, `std::map`', self.page(row, "reference"))


class Enumerators(unittest.TestCase):
    def test_one_without_a_comment_is_found(self):
        value = "<enumvalue><name>{}</name><briefdescription>{}</briefdescription><detaileddescription/></enumvalue>"
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "a.xml").write_text(f"<d>{value.format('said', '<para>It is.</para>')}{value.format('unsaid', ' ')}"
                                         f"<memberdef prot='private'>{value.format('hidden', '')}</memberdef></d>")
            self.assertEqual(list(build_reference.undocumented(Path(folder))), ["unsaid in a.xml"])


if __name__ == "__main__":
    unittest.main()

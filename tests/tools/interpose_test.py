#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The functions that threadgroup::interpose replaces: each is found while the library is loaded, and documented."""
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path.read_text() for path in sorted((ROOT / "src/interpose").glob("*.cpp"))]


class Interpose(unittest.TestCase):
    def test_next_functions_have_the_names_of_their_variables_and_are_found_at_load(self):
        declared = 0
        for text in SOURCES:
            names = re.findall(r'constinit NextFunction(?:<.*>)? next_(\w+)\("(\w+)", ::(\w+)\);', text)
            found = re.search(r"find_all\(([^)]*)\)", text)
            self.assertEqual(text.count("constinit NextFunction"), len(names))
            for variable, name, function in names:
                self.assertEqual((name.lstrip("_"), function), (variable, name))
            wanted = sorted(f"next_{variable}" for variable, _, _ in names)
            self.assertEqual(sorted(re.findall(r"next_\w+", found[1])) if found else [], wanted)
            declared += len(names)
        self.assertGreater(declared, 40)

    def test_replaced_functions_are_in_the_table_of_the_document(self):
        text = (ROOT / "docs/interpose.md").read_text()
        table = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        documented = {name for cell in table for names in re.findall(r"`([^`]*)`", cell) for name in names.split()}
        replaced = {name.removeprefix("cancellable_") for text in SOURCES
                    for name in re.findall(r"TG_INTERPOSED [\w ]+?\*?(\w+)\(", text)}
        variants = {name for name in replaced if name.startswith("__") or name.endswith("64")}
        self.assertEqual(replaced - variants, documented - {"F_SETLKW", "F_OFD_SETLKW"})


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""A script of tools/ as a module: its functions are tested faster than a hundred processes start."""
import importlib.machinery
import importlib.util
import sys
from pathlib import Path


def load_tool(name):
    sys.dont_write_bytecode = True  # tools/ is no place for caches
    loader = importlib.machinery.SourceFileLoader(name, str(Path(__file__).resolve().parents[2] / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module

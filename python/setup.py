# SPDX-License-Identifier: Apache-2.0
"""Builds the extension with the project's own CMake, and puts the C++ library and its headers beside it."""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent


class CMakeBuild(build_ext):
    def build_extension(self, ext):
        package = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        tree = Path(os.environ.get("TG_PYTHON_BUILD_DIR", HERE.parent / "build" / "python"))
        options = [
            "-DCMAKE_BUILD_TYPE=Release",
            "-DBUILD_SHARED_LIBS=ON",
            "-DTG_BUILD_PYTHON=ON",
            "-DTG_BUILD_TESTS=OFF",
            "-DTG_BUILD_EXAMPLES=OFF",
            "-DTG_BUILD_VAULT_JSON=OFF",
            f"-DPYTHON_EXECUTABLE={sys.executable}",
        ]
        if not (tree / "CMakeCache.txt").exists():
            options.append("-GNinja" if subprocess.call(["sh", "-c", "command -v ninja >/dev/null"]) == 0 else "-GUnix Makefiles")
        try:
            import pybind11

            options.append(f"-Dpybind11_DIR={pybind11.get_cmake_dir()}")
        except ImportError:
            pass  # CMake looks for it where the system has it
        subprocess.check_call(["cmake", "-S", str(HERE.parent), "-B", str(tree), *options])
        jobs = os.environ.get("TG_JOBS", str(os.cpu_count() or 1))
        subprocess.check_call(["cmake", "--build", str(tree), "--target", "_core", "-j", jobs])
        # What an earlier version left here would go into the wheel, too.
        for old in package.glob("libthreadgroup.so*"):
            old.unlink()
        subprocess.check_call(["cmake", "--install", str(tree), "--component", "python", "--prefix", str(package)])


setup(ext_modules=[Extension("threadgroup_core._core", sources=[])], cmdclass={"build_ext": CMakeBuild})

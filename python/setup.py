# SPDX-License-Identifier: Apache-2.0
"""Builds the extension with the project's own CMake, and puts the C++ library and its headers beside it.

In a checkout the C++ sources are beside this folder. A source distribution carries them in its folder `cpp`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
CPP = HERE / "cpp" if (HERE / "cpp").is_dir() else HERE.parent
CPP_PARTS = ["CMakeLists.txt", "LICENSE", "cmake", "include", "src", "python/CMakeLists.txt", "python/src"]


class CMakeBuild(build_ext):
    def build_extension(self, ext):
        package = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        tree = Path(os.environ.get("TG_PYTHON_BUILD_DIR", CPP / "build" / "python"))
        options = [
            "-DCMAKE_BUILD_TYPE=Release",
            "-DBUILD_SHARED_LIBS=ON",
            "-DTG_FMT_HEADER_ONLY=ON",
            "-DTG_BUILD_PYTHON=ON",
            "-DTG_BUILD_TESTS=OFF",
            "-DTG_BUILD_EXAMPLES=OFF",
            "-DTG_BUILD_VAULT_JSON=OFF",
            f"-DPYTHON_EXECUTABLE={sys.executable}",
        ]
        if not (tree / "CMakeCache.txt").exists():
            options.append("-GNinja" if shutil.which("ninja") else "-GUnix Makefiles")
        try:
            import pybind11

            options.append(f"-Dpybind11_DIR={pybind11.get_cmake_dir()}")
        except ImportError:
            pass  # CMake looks for it where the system has it
        subprocess.check_call(["cmake", "-S", str(CPP), "-B", str(tree), *options])
        jobs = os.environ.get("TG_JOBS", str(os.cpu_count() or 1))
        subprocess.check_call(["cmake", "--build", str(tree), "--target", "_core", "-j", jobs])
        # What an earlier version left here would go into the wheel, too.
        for old in package.glob("libthreadgroup.so*"):
            old.unlink()
        subprocess.check_call(["cmake", "--install", str(tree), "--component", "python", "--prefix", str(package)])


class SourceDistribution(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        root = Path(base_dir)
        for part in CPP_PARTS:
            source, target = CPP / part, root / "cpp" / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy(source, target)
        # In a checkout it is a link to a file that the archive does not have.
        (root / "LICENSE").unlink(missing_ok=True)
        shutil.copy(CPP / "LICENSE", root / "LICENSE")


setup(
    ext_modules=[Extension("threadgroup_core._core", sources=[])],
    cmdclass={"build_ext": CMakeBuild, "sdist": SourceDistribution},
)

# SPDX-License-Identifier: Apache-2.0
"""What is installed needs nothing that it does not say, and what is published can be built."""

import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import threadgroup_core

PROJECT = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = ["threadgroup-core", "threadgroup-core-compat-threadgroup", "threadgroup-core-compat-threadmanager",
                 "threadgroup-core-compat-varvault"]


def installed(name):
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{name} is imported from a build folder and not installed")


@pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf shows what a library needs")
def test_its_libraries_need_no_fmt_of_the_system():
    libraries = list(Path(threadgroup_core.get_library_dir()).glob("*.so*"))
    assert len(libraries) == 2
    for library in libraries:
        needed = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
        assert "NEEDED" in needed and "fmt" not in needed, library


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_licence_is_installed(name):
    licences = [f for f in installed(name).files if f.name == "LICENSE"]
    assert licences and "Apache License" in licences[0].read_text()


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    subprocess.run([sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", folder, "sdist", "--dist-dir", folder],
                   cwd=PROJECT, check=True, capture_output=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    return folder / archive.name[: -len(".tar.gz")]


def test_a_source_distribution_has_all_sources(sources):
    def below(root, parts):
        return {str(f.relative_to(root)) for part in parts for f in (root / part).rglob("*")
                if f.is_file() and f.suffix in {".cpp", ".hpp", ".py", ".pyi", ".cmake", ".in", ".typed"}}

    checkout = PROJECT.parent
    parts = ["cmake", "include", "src", "python/src"]
    assert below(sources / "cpp", parts) == below(checkout, parts)
    assert below(sources, ["threadgroup_core"]) == below(PROJECT, ["threadgroup_core"])
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.py"):
        assert (sources / name).is_file() and not (sources / name).is_symlink(), name


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake")
def test_a_source_distribution_can_be_configured_where_it_is(sources, tmp_path):
    pybind11 = pytest.importorskip("pybind11")
    subprocess.run(["cmake", "-S", sources / "cpp", "-B", tmp_path, "-DTG_BUILD_PYTHON=ON", "-DTG_BUILD_TESTS=OFF",
                    "-DTG_BUILD_EXAMPLES=OFF", "-DBUILD_SHARED_LIBS=ON", "-DTG_FMT_HEADER_ONLY=ON",
                    f"-DPYTHON_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={pybind11.get_cmake_dir()}"],
                   check=True, capture_output=True, timeout=60)

# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for the parts of Conan 2 that conanfile.py uses, so that the recipe can run without Conan."""
import collections
import fnmatch
import importlib.util
import shutil
import subprocess
import sys
import types
from pathlib import Path


class Options(types.SimpleNamespace):
    """Options of the recipe as attributes, and those of its dependencies as items."""

    def __getitem__(self, dependency):
        return vars(self).setdefault("of " + dependency, types.SimpleNamespace())


class Component(types.SimpleNamespace):
    def __init__(self):
        super().__init__(libs=[], system_libs=[], requires=[], properties={})

    def set_property(self, name, value):
        self.properties[name] = value


class ConanFile:
    """The base class of recipes."""

    version = None

    def __init__(self):
        self.options = Options(**self.default_options)
        self.required = []
        self.variables = {}
        self.cpp_info = types.SimpleNamespace(components=collections.defaultdict(Component))

    def requires(self, reference, **_):
        self.required.append(reference.split("/")[0])


class CMakeDeps:
    def __init__(self, recipe):
        pass

    def generate(self):
        pass


class CMakeToolchain:
    def __init__(self, recipe):
        self.recipe, self.cache_variables = recipe, {}

    def generate(self):
        self.recipe.variables = {"BUILD_SHARED_LIBS": "ON" if self.recipe.options.shared else "OFF", **self.cache_variables}


class CMake:
    """Runs cmake; `recipe.arguments` are the options that a profile of Conan would bring."""

    def __init__(self, recipe):
        self.recipe = recipe

    def run(self, *arguments):
        subprocess.run(["cmake", *arguments], check=True, stdout=subprocess.DEVNULL)

    def configure(self):
        recipe = self.recipe
        variables = [f"-D{name}={value}" for name, value in recipe.variables.items()]
        self.run("-S", recipe.source_folder, "-B", recipe.build_folder, *variables, *recipe.arguments)

    def build(self):
        self.run("--build", self.recipe.build_folder)

    def install(self):
        self.run("--install", self.recipe.build_folder, "--prefix", self.recipe.package_folder)


def copy(_, pattern, source, destination):
    """Copy files; as in Conan, `*` in a pattern matches `/`, too."""
    found = [path for path in Path(source).rglob("*") if path.is_file() and fnmatch.fnmatch(path.relative_to(source).as_posix(), pattern)]
    for path in found:
        target = Path(destination, path.relative_to(source))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return found


def load_conanfile(path):
    """The recipe's class."""
    names = {"conan": {"ConanFile": ConanFile}, "conan.tools": {},
             "conan.tools.cmake": {"CMake": CMake, "CMakeDeps": CMakeDeps, "CMakeToolchain": CMakeToolchain, "cmake_layout": lambda _: None},
             "conan.tools.files": {"copy": copy, "load": lambda _, file: Path(file).read_text()}}
    for name, content in names.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(content)
    spec = importlib.util.spec_from_file_location("conanfile", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return next(c for c in vars(module).values() if isinstance(c, type) and issubclass(c, ConanFile) and c is not ConanFile)

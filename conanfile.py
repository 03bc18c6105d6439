# SPDX-License-Identifier: Apache-2.0
"""The Conan 2 recipe, which builds the tree that it is in: `conan create .`"""
import os
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Threadgroup(ConanFile):
    name = "threadgroup"
    description = "Groups of threads that form trees and share a one-way stop event"
    license = "Apache-2.0"
    package_type = "library"
    settings = "os", "compiler", "build_type", "arch"
    options = {"shared": [True, False], "vault_json": [True, False], "fmt_header_only": [True, False],
               "interpose": [True, False]}
    # `interpose` is off, unlike in CMakeLists.txt: generators that know no components give users the flags of all of them, and a
    # program must link this one on purpose.
    default_options = {"shared": False, "vault_json": True, "fmt_header_only": False, "interpose": False}
    exports_sources = "CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*", "tools/gdb/*.py"

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, "include/threadgroup/version.hpp"))
        self.version = ".".join(re.findall(r"#define TG_VERSION_[A-Z]+ (\d+)", text))

    def configure(self):
        if self.options.fmt_header_only:
            self.options["fmt"].header_only = True

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("fmt/[>=9 <12]")
        if self.options.vault_json:
            self.requires("nlohmann_json/[>=3.11 <4]", transitive_headers=True)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables.update(self.cache_variables())
        toolchain.generate()

    def cache_variables(self):
        """The options of our CMakeLists.txt; Conan sets BUILD_SHARED_LIBS by itself."""
        return {
            "TG_BUILD_TESTS": "OFF",
            "TG_BUILD_EXAMPLES": "OFF",
            "TG_CHECK_HOUSE": "OFF",
            "TG_BUILD_VAULT_JSON": "ON" if self.options.vault_json else "OFF",
            "TG_BUILD_INTERPOSE": "ON" if self.options.interpose else "OFF",
            "TG_FMT_HEADER_ONLY": "ON" if self.options.fmt_header_only else "OFF",
        }

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        core = self.cpp_info.components["threadgroup"]
        core.libs = ["threadgroup"]
        core.system_libs = ["pthread"]
        core.requires = ["fmt::fmt"]  # also if only its headers are used: Conan refuses a requirement that no component uses
        core.set_property("cmake_target_name", "threadgroup::threadgroup")
        core.set_property("pkg_config_name", "threadgroup")
        sim = self.cpp_info.components["sim"]
        sim.libs = ["threadgroup_sim"]
        sim.requires = ["threadgroup"]
        sim.set_property("cmake_target_name", "threadgroup::sim")
        sim.set_property("pkg_config_name", "threadgroup_sim")
        if self.options.vault_json:
            json = self.cpp_info.components["vault_json"]
            json.libs = ["threadgroup_vault_json"]
            json.requires = ["threadgroup", "nlohmann_json::nlohmann_json"]
            json.set_property("cmake_target_name", "threadgroup::vault_json")
            json.set_property("pkg_config_name", "threadgroup_vault_json")
        if self.options.interpose:
            interpose = self.cpp_info.components["interpose"]
            interpose.libs = ["threadgroup_interpose"]
            interpose.requires = ["threadgroup"]
            # Else the linker would leave it out of a program that calls none of its functions itself.
            keep = ["-Wl,--no-as-needed"] if self.options.shared else ["-Wl,-u,tg_interpose"]
            interpose.exelinkflags = keep
            interpose.set_property("cmake_target_name", "threadgroup::interpose")
            interpose.set_property("pkg_config_name", "threadgroup_interpose")

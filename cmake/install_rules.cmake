# SPDX-License-Identifier: Apache-2.0
# Install, export and pkg-config: what find_package(threadgroup) and pkg-config see.
include(CMakePackageConfigHelpers)

set(tg_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/threadgroup")

# Three parts, which the Debian packages are made of: the shared libraries, what one builds with, and tools.
function(tg_install_library target export)
  install(TARGETS ${target} EXPORT ${export}
          RUNTIME COMPONENT runtime
          LIBRARY COMPONENT runtime NAMELINK_COMPONENT dev
          ARCHIVE COMPONENT dev)
  install(EXPORT ${export} NAMESPACE threadgroup:: DESTINATION ${tg_cmake_dir} COMPONENT dev)
endfunction()
tg_install_library(threadgroup threadgroup-targets)
set(tg_without PATTERN "vault_json*" EXCLUDE)
if(TARGET threadgroup_vault_json)
  tg_install_library(threadgroup_vault_json threadgroup-vault_json-targets)
  set(tg_without "")
endif()
tg_install_library(threadgroup_sim threadgroup-sim-targets)
if(TARGET threadgroup_interpose)
  tg_install_library(threadgroup_interpose threadgroup-interpose-targets)
endif()
install(DIRECTORY include/ TYPE INCLUDE COMPONENT dev FILES_MATCHING PATTERN "*.hpp" ${tg_without})

# For gdb. Not in gdb's own folder for automatic loading: that is for shared libraries at a fixed path.
file(GLOB tg_gdb_scripts CONFIGURE_DEPENDS tools/gdb/*.py)
install(FILES ${tg_gdb_scripts} DESTINATION "${CMAKE_INSTALL_DATADIR}/threadgroup/gdb" COMPONENT tools)

get_target_property(tg_type threadgroup TYPE)
configure_package_config_file(cmake/threadgroup-config.cmake.in
  "${PROJECT_BINARY_DIR}/threadgroup-config.cmake" INSTALL_DESTINATION ${tg_cmake_dir})
# Before 1.0 a new minor version may break users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/threadgroup-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/threadgroup-config.cmake"
              "${PROJECT_BINARY_DIR}/threadgroup-config-version.cmake" DESTINATION ${tg_cmake_dir} COMPONENT dev)

# One file for pkg-config per component: cmake/NAME.pc.in. A static library's own needs are its users' needs; a shared
# one brings them along.
set(tg_pc_requires "")
if(tg_type STREQUAL "STATIC_LIBRARY" AND NOT TG_FMT_HEADER_ONLY)
  list(APPEND tg_pc_requires fmt)
endif()
if(tg_type STREQUAL "STATIC_LIBRARY" AND tg_has_cares)
  list(APPEND tg_pc_requires libcares)
endif()
if(tg_pc_requires)
  list(JOIN tg_pc_requires ", " tg_pc_requires)
  set(tg_pc_requires "Requires: ${tg_pc_requires}")
endif()
file(RELATIVE_PATH tg_pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
function(tg_install_pc name)
  configure_file(cmake/${name}.pc.in "${PROJECT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT dev)
endfunction()
tg_install_pc(threadgroup)
tg_install_pc(threadgroup_sim)
if(TARGET threadgroup_interpose)
  tg_install_pc(threadgroup_interpose)
endif()
if(TARGET threadgroup_vault_json)
  tg_install_pc(threadgroup_vault_json)
endif()

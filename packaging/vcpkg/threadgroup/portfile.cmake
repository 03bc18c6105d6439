# SPDX-License-Identifier: Apache-2.0
# An overlay port that builds the tree that it is in: vcpkg install threadgroup --overlay-ports=packaging/vcpkg
cmake_path(ABSOLUTE_PATH CMAKE_CURRENT_LIST_DIR NORMALIZE OUTPUT_VARIABLE port)
cmake_path(APPEND port "../../.." OUTPUT_VARIABLE SOURCE_PATH)
cmake_path(NORMAL_PATH SOURCE_PATH)

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DTG_BUILD_TESTS=OFF -DTG_BUILD_EXAMPLES=OFF -DTG_CHECK_HOUSE=OFF -DTG_BUILD_VAULT_JSON=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME threadgroup CONFIG_PATH lib/cmake/threadgroup)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")

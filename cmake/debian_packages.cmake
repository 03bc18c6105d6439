# SPDX-License-Identifier: Apache-2.0
# Debian packages, made by `cpack` from a build with BUILD_SHARED_LIBS=ON: the libraries, what one builds with, tools.
if(NOT BUILD_SHARED_LIBS)
  return()
endif()
set(tg_soversion "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME threadgroup)
set(CPACK_PACKAGE_VENDOR "threadgroup maintainers")
set(CPACK_PACKAGE_CONTACT "threadgroup maintainers <maintainers@threadgroup.invalid>")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime dev tools)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
find_program(TG_SHLIBDEPS dpkg-shlibdeps)
if(TG_SHLIBDEPS)
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
endif()

# The name has the version that the loader asks for, so that packages of two versions can be installed side by side.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libthreadgroup${tg_soversion})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "groups of blocking tasks that form trees - libraries")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libthreadgroup-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libthreadgroup${tg_soversion} (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS nlohmann-json3-dev)  # for vault_json.hpp
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "libfmt-dev, threadgroup-tools")  # for print_fmt.hpp
set(CPACK_COMPONENT_DEV_DESCRIPTION "groups of blocking tasks that form trees - headers")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME threadgroup-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_TOOLS_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_TOOLS_PACKAGE_RECOMMENDS gdb)
set(CPACK_COMPONENT_TOOLS_DESCRIPTION "groups of blocking tasks that form trees - gdb printers and commands")

include(CPack)

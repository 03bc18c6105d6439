# SPDX-License-Identifier: Apache-2.0
# Runs our port for vcpkg with stand-ins for vcpkg's functions, which configure, build and install into PREFIX.
# In addition fmt is compiled in: then the users of a static library need none.
file(REMOVE_RECURSE "${PREFIX}")
set(CURRENT_PACKAGES_DIR "${PREFIX}")

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" SOURCE_PATH OPTIONS)
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${BUILD} ${arg_OPTIONS} ${OPTIONS}
                          -DTG_FMT_HEADER_ONLY=ON
                  COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
endfunction()

function(vcpkg_cmake_install)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX}
                  COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
endfunction()

function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "PACKAGE_NAME;CONFIG_PATH" "")
  if(NOT EXISTS "${PREFIX}/${arg_CONFIG_PATH}/${arg_PACKAGE_NAME}-config.cmake")
    message(FATAL_ERROR "there is no ${arg_PACKAGE_NAME}-config.cmake in ${arg_CONFIG_PATH}")
  endif()
endfunction()

function(vcpkg_fixup_pkgconfig)
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" FILE_LIST)
  file(SIZE "${arg_FILE_LIST}" size)  # an error if it is not there
endfunction()

include("${PORT}/portfile.cmake")

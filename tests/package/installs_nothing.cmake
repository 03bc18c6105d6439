# SPDX-License-Identifier: Apache-2.0
# Installing BUILD_DIR puts no file into PREFIX.
file(REMOVE_RECURSE "${PREFIX}")
execute_process(COMMAND ${CMAKE_COMMAND} --install "${BUILD_DIR}" --prefix "${PREFIX}"
                COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
file(GLOB_RECURSE files "${PREFIX}/*")
if(files)
  message(FATAL_ERROR "a project that uses add_subdirectory installs: ${files}")
endif()

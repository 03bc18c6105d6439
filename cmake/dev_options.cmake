# SPDX-License-Identifier: Apache-2.0
# Warnings, sanitizers and ccache: how this project builds itself. Projects that include it are left alone.

include(CheckLinkerFlag)

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
  endif()

  find_program(TG_CCACHE ccache)
  if(TG_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # The sloppiness is what ccache asks for before it caches users of a precompiled header.
    # The base folder lets one clone use what another has compiled.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
                                    CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${TG_CCACHE})
  endif()

  # lld links the hundred programs in a quarter of the time. Shared libraries, which have lists of exports, keep the default linker.
  # A compiler for another processor does not find it.
  if(TG_BUILD_TESTS AND NOT BUILD_SHARED_LIBS)
    check_linker_flag(CXX -fuse-ld=lld TG_LINKS_WITH_LLD)
    if(TG_LINKS_WITH_LLD)
      add_link_options(-fuse-ld=lld)
    endif()
  endif()

  # Debian's own interpreter: another python3 earlier on the PATH may lack Debian's modules.
  find_program(TG_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
  find_program(TG_PYTHON python3)

  if(TG_SANITIZE)
    add_compile_options(-fsanitize=${TG_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${TG_SANITIZE})
  endif()
endif()

# What every target of this project is compiled with.
function(tg_dev_options target)
  if(NOT PROJECT_IS_TOP_LEVEL)
    return()
  endif()
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # Without time stamps, ccache knows a precompiled header again.
    target_compile_options(${target} PRIVATE -Wthread-safety -Wthread-safety-beta "SHELL:-Xclang -fno-pch-timestamp")
  endif()
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()

# Flags for programs only, after those of the build type: a preset may optimise the library and not the programs.
separate_arguments(tg_test_flags UNIX_COMMAND "${TG_TEST_FLAGS}")
function(tg_test_options target)
  target_compile_options(${target} PRIVATE ${tg_test_flags})
endfunction()

# Compile a library target as one source, or two if it is large, for its headers cost more than its code. Two sources of a
# library must not define the same name in an anonymous namespace.
function(tg_unity target)
  get_target_property(sources ${target} SOURCES)
  list(LENGTH sources count)
  set(batch 40)
  if(count GREATER batch)
    math(EXPR batch "(${count} + 1) / 2")
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${batch}
    UNITY_BUILD_CODE_BEFORE_INCLUDE "// NOLINTNEXTLINE(bugprone-suspicious-include)")
  if(PROJECT_IS_TOP_LEVEL)
    # A name may shadow one of another source, and to g++ an included source is a header.
    target_compile_options(${target} PRIVATE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# Lint a library target as it is built. clang-tidy checks the headers again in each source, so few sources save most of the time
# (docs/decisions.md).
function(tg_clang_tidy target)
  if(NOT PROJECT_IS_TOP_LEVEL OR NOT TG_CLANG_TIDY)
    return()
  endif()
  find_program(TG_CLANG_TIDY_PROGRAM NAMES clang-tidy-14 clang-tidy REQUIRED)
  set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY "${TG_CLANG_TIDY_PROGRAM};--quiet")
endfunction()

# Replaces the tests LABEL.NAME, which need something that is missing here, by a disabled test: ctest reports it as not run.
function(tg_left_out label name why)
  set(test "${label}.${name} left out: ${why}")
  message(STATUS "${test}")
  add_test(NAME "${test}" COMMAND ${CMAKE_COMMAND} -E false)
  set_tests_properties("${test}" PROPERTIES DISABLED TRUE LABELS ${label})
endfunction()

# A program that is built and run as the test LABEL.NAME; it prints what the file EXPECTED says, if there is one.
function(tg_add_example name label expected)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE threadgroup::threadgroup)
  tg_dev_options(${name})
  tg_test_options(${name})
  # Only programs that include threadgroup.hpp use this precompiled header, which has nothing else. So a program that forgets
  # another include still does not compile.
  file(STRINGS "${ARGV3}" includes_library REGEX "^#include <threadgroup/threadgroup.hpp>")
  file(STRINGS "${ARGV3}" includes_component REGEX "^#include <(gtest/gtest|threadgroup/sim)")
  if(includes_library AND NOT includes_component AND ARGC EQUAL 4)
    if(NOT TARGET tg_example_pch)
      add_library(tg_example_pch OBJECT ${PROJECT_SOURCE_DIR}/tests/pch.cpp)
      target_link_libraries(tg_example_pch PRIVATE threadgroup::threadgroup)
      target_precompile_headers(tg_example_pch PRIVATE <threadgroup/threadgroup.hpp>)
      tg_dev_options(tg_example_pch)
      tg_test_options(tg_example_pch)
    endif()
    target_precompile_headers(${name} REUSE_FROM tg_example_pch)
  endif()
  if(EXISTS "${expected}")
    add_test(NAME ${label}.${name} COMMAND ${TG_PYTHON} ${PROJECT_SOURCE_DIR}/tools/run_example
                                           --expected ${expected} $<TARGET_FILE:${name}>)
  else()
    add_test(NAME ${label}.${name} COMMAND ${name})
  endif()
  set_tests_properties(${label}.${name} PROPERTIES TIMEOUT ${TG_TEST_TIMEOUT} LABELS ${label})
endfunction()

# These layers of the library once more, compiled for explorations. It is never installed, and no program may contain both
# builds. `sources` are its sources, for the caller.
function(tg_add_explored_library target)
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/src/ OUTPUT_VARIABLE folders)
  list(TRANSFORM folders APPEND /*.cpp)
  file(GLOB sources CONFIGURE_DEPENDS ${folders})
  add_library(${target} STATIC ${sources})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_definitions(${target} PUBLIC TG_SIMULATION=1 TG_STATIC)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${target} PUBLIC Threads::Threads ${tg_fmt})
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  set(sources ${sources} PARENT_SCOPE)
endfunction()

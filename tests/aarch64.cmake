# SPDX-License-Identifier: Apache-2.0
# Processor-specific code, cross-compiled for AArch64 and run in an emulator: the switch between contexts, and the
# instructions of a system call that a stop ends.
find_program(TG_AARCH64_CXX aarch64-linux-gnu-g++)
find_program(TG_AARCH64_EMULATOR NAMES qemu-aarch64-static qemu-aarch64)
if(TG_SANITIZE)
  message(STATUS "tests for aarch64 left out: they need a build without sanitizers")
  return()
endif()
if(NOT TG_AARCH64_CXX OR NOT TG_AARCH64_EMULATOR)
  tg_left_out(posix aarch64 "aarch64-linux-gnu-g++ or qemu-aarch64 is not installed (./dev installs them)")
  return()
endif()

# The cross compiler must not look into /usr/include; fmt's headers are the same for all processors.
find_path(tg_fmt_headers fmt/format.h)
if(NOT tg_fmt_headers)
  tg_left_out(posix aarch64 "fmt's headers are in no known place")
  return()
endif()
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/aarch64)
file(CREATE_LINK ${tg_fmt_headers}/fmt ${CMAKE_CURRENT_BINARY_DIR}/aarch64/fmt SYMBOLIC)

# tg_add_aarch64_test(NAME LABEL OPTIMISATION SOURCE...), with all sources compiled as one. -w: the native builds show warnings.
function(tg_add_aarch64_test name label optimisation)
  set(program ${CMAKE_CURRENT_BINARY_DIR}/aarch64/${name})
  set(includes "")
  foreach(source IN LISTS ARGN)
    string(APPEND includes "#include \"${source}\"\n")
  endforeach()
  file(CONFIGURE OUTPUT ${program}.cpp CONTENT "${includes}")
  add_custom_command(OUTPUT ${program} DEPENDS ${program}.cpp DEPFILE ${program}.d
    COMMAND ${TG_AARCH64_CXX} -w -std=c++20 ${optimisation} -static -DFMT_HEADER_ONLY -I${CMAKE_CURRENT_BINARY_DIR}/aarch64
            -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR}/src -MD -MF ${program}.d ${program}.cpp -o ${program})
  add_custom_target(tg_${name}_aarch64 ALL DEPENDS ${program})
  add_test(NAME ${label}.${name}_aarch64 COMMAND ${TG_AARCH64_EMULATOR} ${program})
  set_tests_properties(${label}.${name}_aarch64 PROPERTIES TIMEOUT 60 LABELS ${label})
endfunction()

tg_add_aarch64_test(contexts_switch runtime -O2 ${PROJECT_SOURCE_DIR}/src/runtime/context.cpp
                    ${CMAKE_CURRENT_SOURCE_DIR}/runtime/programs/contexts.cpp)

# All layers that tg::posix needs.
set(library "")
foreach(layer base runtime event tree pool abandon result group sync posix)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${layer}/*.cpp)
  list(APPEND library ${sources})
endforeach()
tg_add_aarch64_test(stops_lose_nothing posix -O0 ${library} ${CMAKE_CURRENT_SOURCE_DIR}/posix/programs/stops.cpp)

# SPDX-License-Identifier: Apache-2.0
# The supervisor of commands: a program without a standard library, whose bytes the library carries.
#
# tg_add_supervisor(TARGET): generates process/supervisor_image.inc and makes TARGET depend on it.
function(tg_add_supervisor target)
  set(folder ${PROJECT_BINARY_DIR}/generated/process)
  set(image ${folder}/supervisor_image.inc)
  set(source ${PROJECT_SOURCE_DIR}/src/process/supervisor.cpp)
  file(MAKE_DIRECTORY ${folder})
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
  if(processor MATCHES "^(x86_64|amd64|aarch64|arm64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    # No relocations, no stack protector, no unwind tables: nothing would support them, and the program stays at 7 KB.
    set(flags -std=c++20 -O2 -Wall -Wextra -ffreestanding -fno-builtin -fno-exceptions -fno-rtti -fno-stack-protector
              -fno-asynchronous-unwind-tables -fno-pic)
    set(links -static -nostdlib -s -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack)
    if(CMAKE_CXX_COMPILER_TARGET)
      list(APPEND flags --target=${CMAKE_CXX_COMPILER_TARGET})
    endif()
    if(CMAKE_SYSROOT)
      list(APPEND flags --sysroot=${CMAKE_SYSROOT})
    endif()
    add_custom_command(
      OUTPUT ${image} DEPENDS ${source} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake DEPFILE ${folder}/supervisor.d
      COMMAND ${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_ARG1} ${flags} -I${PROJECT_SOURCE_DIR}/src
              -MD -MF ${folder}/supervisor.d -MQ ${image} ${source} ${links} -o ${folder}/supervisor
      COMMAND ${CMAKE_COMMAND} -DFILE=${folder}/supervisor -DTO=${image} -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
      COMMENT "Building the supervisor of commands" VERBATIM)
  else()
    message(STATUS "tg::Process will refuse to start commands: there is no supervisor for ${CMAKE_SYSTEM_PROCESSOR}")
    file(CONFIGURE OUTPUT ${image} CONTENT "0\n")
  endif()
  add_custom_target(${target}_supervisor DEPENDS ${image})
  add_dependencies(${target} ${target}_supervisor)
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()

# SPDX-License-Identifier: Apache-2.0
# c-ares, for name lookups: sets `tg_has_cares`. It has no package file for CMake on Debian, so it is looked for by hand.
set(tg_has_cares FALSE)
if(TG_USE_CARES)
  find_path(TG_CARES_INCLUDE ares.h)
  find_library(TG_CARES_LIBRARY cares)
  if(TG_CARES_INCLUDE AND TG_CARES_LIBRARY)
    set(tg_has_cares TRUE)
  elseif(TG_USE_CARES STREQUAL "AUTO")
    message(STATUS "c-ares left out: libc-ares-dev is not installed")
  else()
    message(FATAL_ERROR "TG_USE_CARES is set, and there is no c-ares: install libc-ares-dev, or set it to OFF")
  endif()
endif()

function(tg_link_cares target)
  if(NOT tg_has_cares)
    return()
  endif()
  target_include_directories(${target} SYSTEM PRIVATE "${TG_CARES_INCLUDE}")
  target_compile_definitions(${target} PRIVATE TG_USE_CARES=1)
  # Where the package is used, the linker looks for it.
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:${TG_CARES_LIBRARY}> $<INSTALL_INTERFACE:cares>)
endfunction()

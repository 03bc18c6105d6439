# SPDX-License-Identifier: Apache-2.0
# Third-party libraries, with which tests and documents show threadgroup::interpose and the adapters. For each that is
# installed, there is a target tg_foreign_NAME.
find_package(PkgConfig QUIET)

function(tg_find_foreign name)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(tg_${name} QUIET IMPORTED_TARGET GLOBAL ${ARGN})
  endif()
  if(TARGET PkgConfig::tg_${name})
    # hiredis asks for large files, which only 32-bit systems do not have anyway; precompiled headers do not fit it.
    get_target_property(options PkgConfig::tg_${name} INTERFACE_COMPILE_OPTIONS)
    if(options)
      list(REMOVE_ITEM options -D_FILE_OFFSET_BITS=64)
      set_target_properties(PkgConfig::tg_${name} PROPERTIES INTERFACE_COMPILE_OPTIONS "${options}")
    endif()
    add_library(tg_foreign_${name} ALIAS PkgConfig::tg_${name})
  endif()
endfunction()

tg_find_foreign(curl libcurl)
tg_find_foreign(hiredis hiredis)
tg_find_foreign(httplib cpp-httplib openssl)
tg_find_foreign(libmariadb libmariadb)
tg_find_foreign(libpq libpq)
tg_find_foreign(sqlite sqlite3)

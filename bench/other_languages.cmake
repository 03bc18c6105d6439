# SPDX-License-Identifier: Apache-2.0
# The peers that are not written in C++: bench/<problem>/rayon.rs and bench/<problem>/go.go. Nothing is fetched:
# rayon comes from Debian's librust-rayon-dev, and the programs in Go need only its standard library.

# --- rayon ---
set(tg_crates /usr/share/cargo/registry)
file(GLOB tg_rayon ${tg_crates}/rayon-[0-9]*)
find_program(TG_CARGO cargo)
file(GLOB sources CONFIGURE_DEPENDS */rayon.rs)
if(TG_CARGO AND tg_rayon)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/rayon)
  set(manifest "[package]\nname = \"bench\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\nrayon = \"1\"\n")
  set(programs "")
  set(copies "")
  foreach(source IN LISTS sources)
    cmake_path(GET source PARENT_PATH parent)
    cmake_path(GET parent FILENAME problem)
    set(program bench_${problem}_rayon)
    string(APPEND manifest "[[bin]]\nname = \"${program}\"\npath = \"${source}\"\n")
    list(APPEND programs ${CMAKE_BINARY_DIR}/bench/${program})
    list(APPEND copies COMMAND ${CMAKE_COMMAND} -E copy ${folder}/target/release/${program} ${CMAKE_BINARY_DIR}/bench)
    tg_test_bench(${problem} rayon ${CMAKE_BINARY_DIR}/bench/${program})
  endforeach()
  file(CONFIGURE OUTPUT ${folder}/Cargo.toml CONTENT "${manifest}")
  file(CONFIGURE OUTPUT ${folder}/.cargo/config.toml CONTENT
       "[source.crates-io]\nreplace-with = \"debian\"\n[source.debian]\ndirectory = \"${tg_crates}\"\n")
  add_custom_command(
    OUTPUT ${programs}
    COMMAND ${CMAKE_COMMAND} -E env CARGO_HOME=${folder}/home ${TG_CARGO} build --release --offline --quiet
    ${copies}
    DEPENDS ${sources} ${CMAKE_CURRENT_SOURCE_DIR}/common/bench.rs ${folder}/Cargo.toml
    WORKING_DIRECTORY ${folder} COMMENT "Building the benchmarks of rayon" VERBATIM)
  add_custom_target(bench_rayon ALL DEPENDS ${programs})
else()
  message(STATUS "bench/*/rayon left out: cargo or librust-rayon-dev is not installed")
endif()

# --- Go ---
find_program(TG_GO go)
file(GLOB sources CONFIGURE_DEPENDS */go.go)
if(TG_GO)
  set(programs "")
  foreach(source IN LISTS sources)
    cmake_path(GET source PARENT_PATH parent)
    cmake_path(GET parent FILENAME problem)
    set(program ${CMAKE_BINARY_DIR}/bench/bench_${problem}_go)
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/go/${problem})
    set(common ${CMAKE_CURRENT_SOURCE_DIR}/common/bench.go)
    # Go compiles the files of one folder together.
    add_custom_command(
      OUTPUT ${program}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
      COMMAND ${CMAKE_COMMAND} -E copy ${source} ${common} ${folder}
      COMMAND ${CMAKE_COMMAND} -E env GO111MODULE=off GOPROXY=off CGO_ENABLED=0
              GOCACHE=${CMAKE_CURRENT_BINARY_DIR}/go/cache GOPATH=${CMAKE_CURRENT_BINARY_DIR}/go/path
              ${TG_GO} build -o ${program} ${folder}/go.go ${folder}/bench.go
      DEPENDS ${source} ${common} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} COMMENT "Building ${program}" VERBATIM)
    list(APPEND programs ${program})
    tg_test_bench(${problem} go ${program})
  endforeach()
  add_custom_target(bench_go ALL DEPENDS ${programs})
else()
  message(STATUS "bench/*/go left out: go is not installed")
endif()

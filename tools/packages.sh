# SPDX-License-Identifier: Apache-2.0
# The packages that ./dev installs by apt, and how. ./dev sources this file.
# shellcheck shell=bash disable=SC2034

build_packages=(cmake g++ lld ninja-build pkg-config python3 libfmt-dev)
format_packages=(clang-format-14)
example_packages=(libcli11-dev nlohmann-json3-dev libcpp-httplib-dev)
reference_packages=(doxygen doxygen-awesome-css)
# Libraries that a stop ends from outside, and their servers.
foreign_packages=(libcurl4-openssl-dev libhiredis-dev libmariadb-dev libpq-dev libsqlite3-dev libssl-dev postgresql redis-server)
test_packages=(libgtest-dev libc-ares-dev gdb "${foreign_packages[@]}" "${reference_packages[@]}" "${example_packages[@]}")
aarch64_packages=(g++-aarch64-linux-gnu qemu-user)
clang_packages=(clang-14 clang-tidy-14)
sanitizer_packages=(clang-14 libclang-rt-14-dev)
python_packages=(pybind11-dev python3-pybind11 python3-dev python3-venv python3-pip python3-setuptools python3-wheel
  python3-pytest)
conformance_packages=(libpython3.11-testsuite)
type_packages=(python3-mypy)
bench_packages=(libtbb-dev libabsl-dev libboost-dev libboost-thread-dev libboost-chrono-dev libboost-fiber-dev)
optional_bench_packages=(relacy-dev parallel)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Run a command whose output matters only if it fails.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi
  rm -f "$log"
}

apt_get_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null
}

apt_install() {
  case " $* " in
    *" postgresql "* | *" redis-server "*) install_servers "$@" ;;
    *) apt_get_install "$@" ;;
  esac
}

server_policy=/usr/sbin/policy-rc.d
cluster_settings=/etc/postgresql-common/createcluster.conf

# Packages of servers start them, and PostgreSQL's makes a database. Neither is wanted: the tests start their own. This
# runs in a subshell, whose trap takes back what it has changed, and nothing else, however it ends.
install_servers() (
  made_policy='' changed_settings=''
  take_back() {
    [ -z "$changed_settings" ] || as_root sed -i 's/^create_main_cluster = false/#create_main_cluster = true/' "$cluster_settings"
    [ -z "$made_policy" ] || as_root rm -f "$server_policy"
  }
  trap take_back EXIT
  if [ ! -e "$server_policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$server_policy" || exit
  fi
  apt_get_install postgresql-common || exit
  if grep -q '^#create_main_cluster = true' "$cluster_settings"; then
    changed_settings=yes
    as_root sed -i 's/^#create_main_cluster = true/create_main_cluster = false/' "$cluster_settings" || exit
  fi
  apt_get_install "$@"
)

# Those of the named packages that are not installed; without dpkg, trust that the build finds what it needs.
missing_of() {
  local package
  command -v dpkg-query >/dev/null || return 0
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

# Install those of the named packages that are missing.
need() {
  local missing
  mapfile -t missing < <(missing_of "$@")
  if [ ${#missing[@]} -gt 0 ] && [ -n "$installing" ]; then
    wait "$installing" || true  # if it has failed, what follows tries again and says why
    installing=
    mapfile -t missing < <(missing_of "$@")
  fi
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "== installing: ${missing[*]}"
  # Package lists may be absent or stale: they are fetched only when the first try fails. If one list of many cannot be
  # fetched, the packages may still be in another one.
  if ! apt_install "${missing[@]}" >/dev/null 2>&1; then
    as_root apt-get update -qq >/dev/null 2>&1 || echo "== apt-get update: not all lists could be fetched"
    quietly apt_install "${missing[@]}"
  fi
}

# Begin to install packages while the first stage runs, if no password will be asked for.
installing=
need_later() {
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || return 0
  (need "$@") >/dev/null 2>&1 &
  installing=$!
}

# The same as `need` for packages that can be done without.
want() {
  (need "$@") >/dev/null 2>&1 || echo "== left out, because not available: $*"
}

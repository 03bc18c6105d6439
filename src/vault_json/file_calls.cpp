// SPDX-License-Identifier: Apache-2.0
// The system's own functions.
#include "vault_json/file_calls.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "runtime/own_calls.hpp"

namespace tg::inline v0::detail {

constinit FileCalls file_calls = {
    .open = runtime::own::open,
    .close = ::close,
    .read = runtime::own::read,
    .write = runtime::own::write,
    .ftruncate = ::ftruncate,
    .fsync = ::fsync,
    .fchmod = ::fchmod,
    .fstat = ::fstat,
    .stat = ::stat,
    .lstat = ::lstat,
    .flock = runtime::own::flock,
    .rename = ::rename,
    .unlink = ::unlink,
    .realpath = ::realpath,
    .readlink = ::readlink,
    .opendir = ::opendir,
    .readdir = ::readdir,
    .closedir = ::closedir,
};

bool write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t put = uninterrupted([&] { return file_calls.write(fd, data.data(), data.size()); });
    if (put == 0) errno = EIO;
    if (put <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

}  // namespace tg::inline v0::detail

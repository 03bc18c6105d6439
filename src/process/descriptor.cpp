// SPDX-License-Identifier: Apache-2.0
// Copies of descriptors, and complete writes.
#include "process/descriptor.hpp"

#include <fcntl.h>

#include <cerrno>
#include <string>

#include "process/errors.hpp"
#include "runtime/own_calls.hpp"

namespace tg::inline v0::process {

Descriptor copy_of(int fd, const char* what) {
  Descriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFree));
  if (!copy) throw_error(errno, std::string("cannot duplicate ") + what);
  return copy;
}

Descriptor moved_up(Descriptor from, const char* what) {
  if (from.get() >= kFirstFree) return from;
  return copy_of(from.get(), what);
}

void write_all(const Descriptor& file, const void* bytes, std::size_t count, const char* what) {
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = runtime::own::write(file.get(), at, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw_error(errno, std::string("cannot write ") + what);
    at += written;
    count -= static_cast<std::size_t>(written);
  }
}

}  // namespace tg::inline v0::process

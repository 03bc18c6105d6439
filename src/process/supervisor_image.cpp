// SPDX-License-Identifier: Apache-2.0
// Making the file in memory.
#include "process/supervisor_image.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include <threadgroup/detail/atomic.hpp>

#include "process/descriptor.hpp"
#include "process/errors.hpp"

namespace tg::inline v0::process {

namespace {

// The bytes that cmake/embed.cmake makes of the linked program.
constexpr unsigned char kImage[] = {
#include "process/supervisor_image.inc"
};

constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

#if !defined(MFD_EXEC)
#define MFD_EXEC 0x0010U
#endif

Descriptor make_file() {
  if constexpr (sizeof kImage < 100) throw_error(ENOSYS, "there is no supervisor for this processor");
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  // Kernels before 6.3 reject MFD_EXEC, and make each file in memory executable.
  Descriptor made(::memfd_create("tg-supervisor", kFlags | MFD_EXEC));
  if (!made && errno == EINVAL) made = Descriptor(::memfd_create("tg-supervisor", kFlags));
  if (!made) throw_error(errno, "cannot create an executable file in memory (see vm.memfd_noexec)");
  Descriptor file = moved_up(std::move(made), "the supervisor's file in memory");
  write_all(file, kImage, sizeof kImage, "the supervisor's file in memory");
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0)
    throw_error(errno, "cannot seal the supervisor's file in memory");
  return file;
}

// Atomic: the thread that makes the file publishes it. It stays open as long as the program runs.
constinit tg::detail::Atomic<int> file_of_all{-1};

// Some programs close descriptors that they did not open; the number may then belong to another file.
bool is_ours(int fd) {
  struct stat found {};
  return fd >= 0 && ::fstat(fd, &found) == 0 && found.st_size == sizeof kImage &&
         (::fcntl(fd, F_GET_SEALS) & kSeals) == kSeals;
}

}  // namespace

std::string supervisor_path() {
  int fd = file_of_all.load(std::memory_order_acquire);
  if (!is_ours(fd)) {
    Descriptor made = make_file();
    // Another thread may have been faster.
    const bool is_first = file_of_all.compare_exchange_strong(fd, made.get());
    if (is_first) fd = made.release();
    if (!is_ours(fd)) throw_error(EBADF, "cannot find the supervisor's file in memory");
  }
  return "/proc/self/fd/" + std::to_string(fd);
}

}  // namespace tg::inline v0::process

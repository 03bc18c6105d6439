// SPDX-License-Identifier: Apache-2.0
// What a stopped caller still does, because it does not wait.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>

#include <threadgroup/thread_utils.hpp>

namespace tg::inline v0::interpose {

/// Whether this is the result of a call that a stop has ended. A call of the system may say ECANCELED by itself: a `read` of a timer
/// whose clock was set does, and says so once.
inline bool was_stopped(long result) noexcept {
  return result < 0 && errno == ECANCELED && thread_utils::event_is_set();
}

/// Whether the file answers at once whatever other programs do: it is on a disk, or a device such as `/dev/null`.
bool never_waits(const struct stat& file) noexcept;

/// The same of an open file. True also for a pipe or a counter that does not block, because other threads may need the wake-up
/// that a stopped one writes to it, and for a descriptor that is not open. Sockets stay refused: libraries try again until they fail. Leaves `errno` alone.
bool never_waits(int fd) noexcept;

/// Writes what there is room for. -1 with ECANCELED if there is none, and for sockets, except the standard
/// output.
ssize_t write_at_once(int fd, const iovec* parts, int count) noexcept;

}  // namespace tg::inline v0::interpose

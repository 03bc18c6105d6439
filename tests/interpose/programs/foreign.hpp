// SPDX-License-Identifier: Apache-2.0
// A library that knows nothing of threadgroup.
#pragma once

#include <cstddef>

extern "C" {
/// Reads a line from a descriptor, byte by byte. Returns its length, or -1 with `errno`.
[[gnu::visibility("default")]] long foreign_read_line(int fd, char* line, std::size_t room);
/// Waits in `poll` without a time-out, then receives once. Returns the number of bytes, or -1 with `errno`.
[[gnu::visibility("default")]] long foreign_receive(int socket, char* bytes, std::size_t room);
}

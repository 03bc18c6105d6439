// SPDX-License-Identifier: Apache-2.0
// Compiled as distributions do it, with _FORTIFY_SOURCE, and linked with the C library alone.
#include "foreign.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

long foreign_read_line(int fd, char* line, std::size_t room) {
  std::size_t length = 0;
  while (length < room) {
    const ssize_t got = ::read(fd, line + length, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0 || line[length] == '\n') break;
    ++length;
  }
  return static_cast<long>(length);
}

long foreign_receive(int socket, char* bytes, std::size_t room) {
  pollfd one{socket, POLLIN, 0};
  for (;;) {
    const int ready = ::poll(&one, 1, -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return -1;
    return ::recv(socket, bytes, room, 0);
  }
}

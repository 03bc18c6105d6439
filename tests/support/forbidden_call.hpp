// SPDX-License-Identifier: Apache-2.0
// System calls that a sandbox refuses.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "support/in_child.hpp"

namespace tg::test {

/// From now on the system refuses the call to this thread and to those that it starts. False where there are no such filters.
inline bool forbid(int call, int error = EPERM) {
  std::array<sock_filter, 4> program{
      {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1),
       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

/// Whether `forbid` works in a child of this process.
inline bool can_forbid() {
  return in_child([] { return forbid(SYS_membarrier) ? 0 : 1; }) == 0;
}

constexpr const char* kNeedsFilters = "the system has no filters for system calls";

}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// A process that gets a limited number of threads, and what it says about that.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "../common/main.hpp"

namespace bench {

/// Limits the process to about this many threads. Root has no limit of threads, so the process changes to a
/// user that has no threads yet; where that is impossible, it limits the address space to this many stacks.
inline void limit_threads(std::int64_t threads) {
  const auto limit = [](auto resource, std::int64_t to) {
    const rlimit at_most{static_cast<rlim_t>(to), static_cast<rlim_t>(to)};
    if (::setrlimit(resource, &at_most) != 0) std::abort();
  };
  const auto unused_user = static_cast<uid_t>(2'000'000 + ::getpid());
  if (::geteuid() == 0 && ::setresuid(unused_user, unused_user, unused_user) == 0)
    return limit(RLIMIT_NPROC, threads);
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit stack{};
  ::getrlimit(RLIMIT_STACK, &stack);
  const std::int64_t bytes =
      stack.rlim_cur == RLIM_INFINITY ? 2 << 20 : static_cast<std::int64_t>(stack.rlim_cur);
  limit(RLIMIT_AS, pages * ::sysconf(_SC_PAGESIZE) + threads * bytes + (256 << 20));
}

/// Keeps what the process writes to stderr, as long as the object lives.
class KeptErrors {
 public:
  KeptErrors() : file_(std::tmpfile()), before_(::dup(STDERR_FILENO)) {
    if (file_ == nullptr || before_ < 0) std::abort();
    ::dup2(::fileno(file_), STDERR_FILENO);
  }
  ~KeptErrors() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    std::fclose(file_);
  }
  KeptErrors(const KeptErrors&) = delete;
  KeptErrors& operator=(const KeptErrors&) = delete;

  bool any() const { return ::lseek(::fileno(file_), 0, SEEK_END) > 0; }

 private:
  std::FILE* file_;
  int before_;
};

}  // namespace bench

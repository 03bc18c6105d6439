// SPDX-License-Identifier: Apache-2.0
// System calls and texts without a standard library, for the supervisor.
#pragma once

#include <asm/unistd.h>

namespace tg::inline v0::process {
namespace {  // the supervisor is one source

// --- System calls ---

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
#if defined(__x86_64__)
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#endif
}

template <class T>
long address(T* pointer) {
  return reinterpret_cast<long>(pointer);
}

[[noreturn]] void exit_now(int status) {
  for (;;) call(__NR_exit_group, status);
}

constexpr long kInterrupted = -4;
constexpr long kNoSuchProcess = -3;
constexpr long kNoChild = -10;
constexpr long kNothingYet = -11;
constexpr long kNotPermitted = -1;

constexpr int kSigKill = 9;
constexpr int kSigTerm = 15;
constexpr int kSigChild = 17;
constexpr int kSigCont = 18;
constexpr long kMaskBytes = 8;

// The same on x86-64 and AArch64.
constexpr int kSetMask = 2;              // SIG_SETMASK
constexpr int kAtFdCwd = -100;           // AT_FDCWD
constexpr long kReadOnly = 0;            // O_RDONLY
constexpr long kCloseOnExec = 02000000;  // O_CLOEXEC
constexpr long kNonBlocking = 04000;     // O_NONBLOCK
constexpr int kSetFdFlags = 2;           // F_SETFD
constexpr int kDontWait = 0x40;          // MSG_DONTWAIT
constexpr int kNoSignal = 0x4000;        // MSG_NOSIGNAL
constexpr int kPollIn = 1;               // POLLIN
constexpr int kReadWrite = 3;            // PROT_READ | PROT_WRITE
constexpr int kSharedAnonymous = 0x21;   // MAP_SHARED | MAP_ANONYMOUS
constexpr int kMonotonic = 1;            // CLOCK_MONOTONIC

struct PollFd {
  int fd;
  short events;
  short revents;
};
struct Timespec {
  long seconds;
  long nanos;
};
struct Usage {
  long user_seconds, user_micros, system_seconds, system_micros, max_rss;
  long rest[13];
};
struct Limit {
  unsigned long soft, hard;
};
// The kernel's: a handler (0: the default), flags, a restorer, a mask.
struct Action {
  unsigned long words[4];
};

// --- Texts ---

unsigned long parse(const char*& text) {
  unsigned long value = 0;
  while (*text >= '0' && *text <= '9') value = value * 10 + static_cast<unsigned long>(*text++ - '0');
  return value;
}

long number_of(const char* text) { return static_cast<long>(parse(text)); }

// A path under /proc, made of texts and numbers.
class Path {
 public:
  Path& operator<<(const char* text) {
    while (*text != '\0' && length_ < kMost) text_[length_++] = *text++;
    text_[length_] = '\0';
    return *this;
  }
  Path& operator<<(long number) {
    char digits[20];
    int count = 0;
    do digits[count++] = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0 && length_ < kMost) text_[length_++] = digits[--count];
    text_[length_] = '\0';
    return *this;
  }
  const char* text() const { return text_; }

 private:
  static constexpr int kMost = 100;
  char text_[kMost + 1] = {};
  int length_ = 0;
};

long open_to_read(const Path& path) {
  return call(__NR_openat, kAtFdCwd, address(path.text()), kReadOnly | kCloseOnExec);
}

}  // namespace
}  // namespace tg::inline v0::process

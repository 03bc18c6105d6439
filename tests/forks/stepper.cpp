// SPDX-License-Identifier: Apache-2.0
// Stepping by the processor's trap flag, and the meeting of the stepped thread with the one that forks.
//
// The stepped thread stops in the handler of the trap until the process is forked. But where it holds a lock
// that the library holds across forks, the fork waits for it: then it goes on, and the fork comes right
// after. Everything that the handler does is allowed in one.
#include "forks/stepper.hpp"

#include <link.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <new>
#include <thread>

namespace tg::forks {
namespace {

// How far the fork for the place at which a thread stopped has come.
constexpr std::uint32_t kNone = 0;    // no thread has stopped
constexpr std::uint32_t kWanted = 1;  // one has
constexpr std::uint32_t kTaking = 2;  // the fork has begun, and takes locks
constexpr std::uint32_t kTaken = 3;   // it has those of the library, and takes those of the system
constexpr std::uint32_t kForked = 4;  // the child lives
constinit std::atomic<std::uint32_t> phase{kNone};
// A fork that takes longer to go from one phase to the next waits for the thread that has stopped.
constexpr long kPatienceNanos = 4'000'000;
constexpr unsigned kSecondsOfAChild = 20;

constinit std::atomic<const char*> stopped_in{nullptr};
constinit std::atomic<int> waited_for{0};
constinit std::atomic<std::uint64_t> round{0};  // of those in which each place is used once
char* touching = nullptr;                       // shared with the children
constexpr std::size_t kTouchingBytes = 4096;

bool wait_while(std::uint32_t value, const timespec* patience) noexcept {
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&phase), FUTEX_WAIT_PRIVATE, value, patience,
                   nullptr, 0) == 0 ||
         errno != ETIMEDOUT;
}
void set_phase(std::uint32_t value) noexcept {
  phase.store(value);
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&phase), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr,
            nullptr, 0);
}

// The places seen so far. It never shrinks, and a full one takes no more.
class Places {
 public:
  bool contains(std::uint64_t place) const noexcept {
    for (std::size_t i = place % slots_.size(), tries = 0; tries < slots_.size();
         i = (i + 1) % slots_.size(), ++tries) {
      const std::uint64_t there = slots_[i].load();
      if (there == place) return true;
      if (there == 0) return false;
    }
    return true;
  }
  bool add(std::uint64_t place) noexcept {
    for (std::size_t i = place % slots_.size(), tries = 0; tries < slots_.size();
         i = (i + 1) % slots_.size(), ++tries) {
      std::uint64_t expected = 0;
      if (slots_[i].compare_exchange_strong(expected, place)) return true;
      if (expected == place) return false;
    }
    return false;
  }

 private:
  std::array<std::atomic<std::uint64_t>, 8192> slots_ = {};
};
constinit Places places;

// The C library looks after its own locks. What it says of itself is not asked while threads are stepped.
class CLibrary {
 public:
  void find() {
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* raw) {
          if (std::strstr(info->dlpi_name, "libc.so") == nullptr) return 0;
          auto* const found = static_cast<CLibrary*>(raw);
          found->begin_ = info->dlpi_addr;
          for (int i = 0; i < info->dlpi_phnum; ++i) {
            const auto& part = info->dlpi_phdr[i];
            found->end_ =
                std::max<std::uintptr_t>(found->end_, info->dlpi_addr + part.p_vaddr + part.p_memsz);
          }
          return 1;
        },
        this);
  }
  bool contains(const void* code) const noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(code);
    return begin_ <= at && at < end_;
  }

 private:
  std::uintptr_t begin_ = 0;
  std::uintptr_t end_ = 0;
};
constinit CLibrary c_library;

struct Stepping {
  const char* operation = nullptr;
  long left = 0;
  const std::uint8_t* last = nullptr;  // the instruction before the trap
  std::uintptr_t stack = 0;
};
constinit thread_local Stepping me;

// Stops at a place that is new, until the process is forked or waits for this thread.
void stop_at(std::uint64_t place) noexcept {
  if (places.contains(place)) return;
  while (phase.load() == kForked) wait_while(kForked, nullptr);  // for another place
  std::uint32_t expected = kNone;
  if (!phase.compare_exchange_strong(expected, kWanted)) return;
  if (!places.add(place)) return set_phase(kNone);
  stopped_in.store(me.operation);
  set_phase(kWanted);
  const timespec patience{0, kPatienceNanos};
  for (std::uint32_t seen = kWanted; seen != kForked && seen != kNone;) {
    const bool in_time = wait_while(seen, seen == kWanted ? nullptr : &patience);
    const std::uint32_t now = phase.load();
    if (now == seen && !in_time) {
      waited_for.fetch_add(1);
      return;
    }
    seen = now;
  }
}

// --- The processor ---

#if defined(__x86_64__)

constexpr greg_t kTrapFlag = 0x100;

void set_trap_flag(bool on) noexcept {
  // Below the red zone.
  if (on) {
    asm volatile("lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::
                     : "memory", "cc");
  } else {
    asm volatile("lea -128(%%rsp), %%rsp\n pushfq\n andq $-0x101, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::
                     : "memory", "cc");
  }
}

// Reads, changes and writes memory in one step: a lock prefix, or an exchange with memory, which needs none.
bool is_atomic(const std::uint8_t* code) noexcept {
  for (;; ++code) {
    switch (*code) {
      case 0xF0:
        return true;
      case 0x66:
      case 0x67:
      case 0x2E:
      case 0x36:
      case 0x3E:
      case 0x26:
      case 0x64:
      case 0x65:
      case 0xF2:
      case 0xF3:
        continue;
      default:
        break;
    }
    if ((*code & 0xF0) == 0x40) continue;  // REX
    return (*code == 0x86 || *code == 0x87) && (code[1] & 0xC0) != 0xC0;
  }
}

// A trap while the signal is blocked ends the process. The C library blocks all signals to make and to end
// threads.
bool changes_blocked_signals(const std::uint8_t* code, greg_t number) noexcept {
  return code[0] == 0x0F && code[1] == 0x05 && number == SYS_rt_sigprocmask;
}

void on_trap(int, siginfo_t*, void* raw) noexcept {
  const int saved_errno = errno;
  greg_t* const registers = static_cast<ucontext_t*>(raw)->uc_mcontext.gregs;
  const auto* const next = reinterpret_cast<const std::uint8_t*>(registers[REG_RIP]);
  const std::uint8_t* const last = me.last;
  me.last = next;
  if (--me.left < 0 || changes_blocked_signals(next, registers[REG_RAX])) {
    registers[REG_EFL] &= ~kTrapFlag;
    me.last = nullptr;
  }
  if (me.operation != nullptr && last != nullptr && is_atomic(last) && !c_library.contains(last)) {
    const auto depth = me.stack - static_cast<std::uintptr_t>(registers[REG_RSP]);
    const auto mix = [](std::uint64_t sum, std::uint64_t part) {
      return (sum ^ part) * 0x9e3779b97f4a7c15ULL;
    };
    // A lock is given up by the same instruction everywhere, and at the same depth as elsewhere by chance.
    const auto within = reinterpret_cast<std::uint64_t>(me.operation);
    stop_at(mix(mix(mix(mix(1, reinterpret_cast<std::uint64_t>(last)), depth), within), round.load()) | 1);
  }
  errno = saved_errno;
}

void handle_traps() noexcept {
  struct sigaction action = {};
  action.sa_sigaction = [](int number, siginfo_t* info, void* context) { on_trap(number, info, context); };
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  ::sigaction(SIGTRAP, &action, nullptr);
}

#else

void set_trap_flag(bool) noexcept {}
void handle_traps() noexcept {}

#endif

// Its own handlers around a fork: one that runs last before it and first after it, because it is registered
// before those of the library; and one that runs first before it.
constinit std::atomic<bool> is_forking{false};
[[gnu::constructor(101)]] void at_load() {
  ::pthread_atfork(
      [] {
        if (is_forking.load()) set_phase(kTaken);
      },
      [] {
        if (is_forking.load()) set_phase(kForked);
      },
      nullptr);
}

// The wait status of a child that was forked while a thread stopped.
int fork_here(int (*child)()) {
  std::memset(touching, 0, kTouchingBytes);
  is_forking.store(true);
  const pid_t made = ::fork();
  is_forking.store(false);
  if (made == 0) {
    ::alarm(kSecondsOfAChild);
    ::_exit(child());
  }
  set_phase(kForked);
  int status = -1;
  while (::waitpid(made, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

bool can_step() noexcept {
#if defined(__x86_64__)
  return true;
#else
  return false;
#endif
}

void step(const char* operation, long instructions) noexcept {
  me.operation = operation;
  me.left = instructions;
  me.last = nullptr;
  me.stack = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  set_trap_flag(true);
}

void stop_stepping() noexcept {
  set_trap_flag(false);
  me.operation = nullptr;
}

void use_places_again() noexcept { round.fetch_add(1); }

void now_touching(const char* what) noexcept {
  if (touching != nullptr) std::strncpy(touching, what, kTouchingBytes - 1);
}

Figures fork_everywhere(void (*script)(), int (*child)()) {
  touching = static_cast<char*>(
      ::mmap(nullptr, kTouchingBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (touching == MAP_FAILED) throw std::bad_alloc();
  ::pthread_atfork(
      [] {
        if (is_forking.load()) set_phase(kTaking);
      },
      nullptr, nullptr);
  c_library.find();
  handle_traps();

  Figures figures;
  std::atomic<bool> finished{false};
  std::thread stepped([&] {
    script();
    finished.store(true);
    while (phase.load() != kNone) wait_while(phase.load(), nullptr);
    set_phase(kWanted);  // as if it had stopped once more
  });
  for (;;) {
    while (phase.load() == kNone) wait_while(kNone, nullptr);
    if (finished.load()) break;
    // While the handler looks whether the place is new, it seems to be wanted.
    const char* const operation = stopped_in.exchange(nullptr);
    if (operation == nullptr) continue;
    ++figures.points;
    const int status = fork_here(child);
    if (status != 0) {
      // Without memory of its own: the stepped thread may hold the heap's lock.
      const bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
      std::snprintf(figures.wrong.data(), figures.wrong.size(),
                    "forked in \"%s\": the child %s (wait status %d) at \"%s\"", operation,
                    hung ? "hung" : "went wrong", status, touching);
      stepped.detach();
      return figures;  // whatever else there is, the next run will tell
    }
    set_phase(kNone);
  }
  figures.waited_for = waited_for.load();
  stepped.join();
  return figures;
}

}  // namespace tg::forks

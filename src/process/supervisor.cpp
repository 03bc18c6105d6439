// SPDX-License-Identifier: Apache-2.0
// A small program that starts one command and stays beside it until the command and all its descendants have ended.
//
// It adopts descendants whose parents have ended (PR_SET_CHILD_SUBREAPER), so none gets away by a double fork or a session
// of its own, and no pid of a direct child is used again before it was reaped here. src/process/README.md has the protocol.
//
// The library carries it as bytes and executes it from memory. It has no standard library: some kilobytes, without relocations, start
// in a third of the time. So it makes its system calls itself, and all its memory is static.
#include "process/supervisor.hpp"

#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "process/bare_calls.hpp"
#include "process/descendants.hpp"

using namespace tg::process;

namespace {

// --- The command ---

// Shared with the child that becomes the command: what it could not do.
struct Refusal {
  int error;
  int step;
};

[[noreturn]] void refuse(Refusal& refusal, Step step, long error) {
  refusal.step = static_cast<int>(step);
  refusal.error = static_cast<int>(-error);
  exit_now(127);
}

void set_limits(const char* text, Refusal& refusal) {
  while (*text != '\0') {
    const long resource = static_cast<long>(parse(text));
    ++text;
    Limit limit{};
    limit.soft = parse(text);
    ++text;
    limit.hard = parse(text);
    if (*text == ',') ++text;
    const long error = call(__NR_prlimit64, 0, resource, address(&limit), 0);
    if (error != 0) refuse(refusal, Step::limit, error);
  }
}

struct Arguments {
  long program;  // the pid
  long flags;
  long grace_millis;
  const char* directory;
  const char* limits;
  const char* path;
  char** command;
  char** environment;
  bool has(int flag) const { return (flags & flag) != 0; }
};

[[noreturn]] void become_command(const Arguments& arguments, Refusal& refusal) {
  call(__NR_prctl, PR_SET_PDEATHSIG, kSigKill);  // should the supervisor itself be killed
  if (call(__NR_getppid) != self) exit_now(127);
  if (arguments.has(kOwnSession)) call(__NR_setsid);
  if (*arguments.directory != '\0') {
    if (const long error = call(__NR_chdir, address(arguments.directory)); error != 0)
      refuse(refusal, Step::directory, error);
  }
  set_limits(arguments.limits, refusal);
  // Signals 32 and 33, which glibc hides: `posix_spawn` leaves them ignored.
  const Action by_default{};
  for (int number = 32; number <= 33; ++number)
    call(__NR_rt_sigaction, number, address(&by_default), 0, kMaskBytes);
  const unsigned long none = 0;
  call(__NR_rt_sigprocmask, kSetMask, address(&none), 0, kMaskBytes);
  refuse(
      refusal, Step::execute,
      call(__NR_execve, address(arguments.path), address(arguments.command), address(arguments.environment)));
}

void send(Report::Kind kind, int value, int detail, const Usage& usage) {
  const Report report{kind,
                      value,
                      detail,
                      0,
                      usage.user_seconds * 1'000'000 + usage.user_micros,
                      usage.system_seconds * 1'000'000 + usage.system_micros,
                      usage.max_rss};
  call(__NR_sendto, kControl, address(&report), sizeof report, kNoSignal, 0, 0);
}

[[noreturn]] void give_up(Step step, long error) {
  send(Report::Kind::refused, static_cast<int>(-error), static_cast<int>(step), {});
  exit_now(1);
}

// Starts the command and returns its pid. CLONE_VFORK suspends the supervisor until the child has executed it or exited.
long start(const Arguments& arguments) {
  const long page = call(__NR_mmap, 0, sizeof(Refusal), kReadWrite, kSharedAnonymous, -1, 0);
  if (page < 0) give_up(Step::supervise, page);
  auto& refusal = *reinterpret_cast<Refusal*>(page);
  const long pid = call(__NR_clone, CLONE_VFORK | kSigChild, 0, 0, 0, 0);
  if (pid == 0) become_command(arguments, refusal);
  if (pid < 0) give_up(Step::supervise, pid);
  if (refusal.error != 0) give_up(static_cast<Step>(refusal.step), -refusal.error);
  send(Report::Kind::started, static_cast<int>(pid), 0, {});
  return pid;
}

// --- Beside the command ---

long now_millis() {
  Timespec now{};
  call(__NR_clock_gettime, kMonotonic, address(&now));
  return now.seconds * 1'000 + now.nanos / 1'000'000;
}

// If /proc belongs to another pid namespace, its numbers name other processes.
bool has_own_proc() {
  char text[24];
  const long got = call(__NR_readlinkat, kAtFdCwd, address("/proc/self"), address(text), sizeof text - 1);
  if (got <= 0) return false;
  text[got] = '\0';
  return number_of(text) == self;
}

// Waits for orders, ends of children and the end of the program; ends the descendants in three phases: running, ending (TERM),
// killing (KILL).
class Watch {
 public:
  Watch(const Arguments& arguments, long command, int signals, int program)
      : arguments_(arguments),
        command_(command),
        polled_{{kControl, kPollIn, 0}, {signals, kPollIn, 0}, {program, kPollIn, 0}} {}

  [[noreturn]] void run() {
    for (;;) {
      reap();
      if (has_exited_ && phase_ == Phase::running) {
        if (arguments_.has(kDescendantsMayStay)) end(0);
        begin_to_end(arguments_.grace_millis);
      }
      if (phase_ == Phase::ending) go_on_ending();
      if (phase_ == Phase::killing) kill_children();
      wait();
    }
  }

 private:
  enum class Phase { running, ending, killing };
  // SIGCHLD announces each child that ends; this pause covers orphans that are adopted without a signal.
  static constexpr long kLooksAgainAfter = 10;

  [[noreturn]] void end(int left) {
    send(Report::Kind::over, killed_, left, {});
    exit_now(0);
  }

  void reap() {
    for (;;) {
      int status = 0;
      Usage usage{};
      const long pid = call(__NR_wait4, -1, address(&status), WNOHANG | __WALL, address(&usage));
      if (pid == kNoChild) end(0);
      if (pid <= 0) return;
      if (phase_ == Phase::killing && (status & 0x7f) == kSigKill) ++killed_;
      if (pid != command_) continue;
      has_exited_ = true;
      send(Report::Kind::exited, status, is_ordered_ ? 1 : 0, usage);
    }
  }

  void begin_to_end(long grace_millis) {
    if (phase_ != Phase::running) return;
    phase_ = Phase::ending;
    term_at_ = now_millis();
    kill_at_ = term_at_ + grace_millis;
  }

  // Repeated with growing pauses, because a shell may have started another command.
  void go_on_ending() {
    const long now = now_millis();
    if (now >= kill_at_) {
      phase_ = Phase::killing;
    } else if (now >= term_at_) {
      term_descendants();
      term_at_ = now + term_pause_;
      term_pause_ *= 2;
    }
  }

  // Only children: the supervisor alone reaps them, so their pids cannot be reused. Their own children are adopted, and killed in
  // the next round.
  void kill_children() {
    pid_count = 0;
    add_children_of(self);
    int refused = 0;
    for (int i = 0; i < pid_count; ++i)
      refused += call(__NR_kill, pids[i], kSigKill) == kNotPermitted ? 1 : 0;
    if (refused > 0 && refused == pid_count) end(refused);
  }

  void wait() {
    Timespec timeout{};
    const Timespec* until = nullptr;
    if (phase_ != Phase::running) {
      long millis = kLooksAgainAfter;
      if (phase_ == Phase::ending) millis = (term_at_ < kill_at_ ? term_at_ : kill_at_) - now_millis();
      if (millis < 0) millis = 0;
      timeout = {millis / 1'000, millis % 1'000 * 1'000'000};
      until = &timeout;
    }
    for (PollFd& one : polled_) one.revents = 0;
    if (call(__NR_ppoll, address(polled_), 3, address(until), 0, kMaskBytes) < 0) return;
    if (polled_[1].revents != 0) {
      char ignored[128];  // one signalfd_siginfo
      call(__NR_read, polled_[1].fd, address(ignored), sizeof ignored);
    }
    if (polled_[2].revents != 0) program_is_gone();
    if (polled_[0].revents != 0) take_order();
  }

  void take_order() {
    Order order{};
    const long got = call(__NR_recvfrom, kControl, address(&order), sizeof order, kDontWait, 0, 0);
    if (got == kInterrupted || got == kNothingYet) return;
    if (got != sizeof order) return program_is_gone();
    switch (order.kind) {
      case Order::Kind::signal:
        if (!has_exited_) call(__NR_kill, command_, order.value);
        break;
      case Order::Kind::end:
        is_ordered_ = true;
        begin_to_end(order.value);
        break;
    }
  }

  // It was killed, or has executed another program.
  void program_is_gone() {
    polled_[0].fd = -1;
    polled_[2].fd = -1;
    if (!arguments_.has(kOutlivesProgram)) phase_ = Phase::killing;
  }

  const Arguments& arguments_;
  const long command_;
  PollFd polled_[3];  // orders, SIGCHLD, the end of the program
  Phase phase_ = Phase::running;
  long kill_at_ = 0;
  long term_at_ = 0;
  long term_pause_ = 50;
  bool is_ordered_ = false;
  bool has_exited_ = false;
  int killed_ = 0;
};

}  // namespace

extern "C" [[noreturn, gnu::used]] void supervise(char** stack) {
  const long count = *reinterpret_cast<long*>(stack);
  char** const texts = stack + 1;
  if (count <= kFixedArguments) exit_now(2);
  const Arguments arguments{
      number_of(texts[1]),     number_of(texts[2]), number_of(texts[3]), texts[4], texts[5], texts[6],
      texts + kFixedArguments, texts + count + 1};
  self = static_cast<int>(call(__NR_getpid));
  const unsigned long all = ~0UL;
  call(__NR_rt_sigprocmask, kSetMask, address(&all), 0, kMaskBytes);
  call(__NR_fcntl, kControl, kSetFdFlags, 1);
  if (const long error = call(__NR_close_range, kControl + 1, ~0U, 0); error != 0)
    give_up(Step::supervise, error);
  if (!has_own_proc()) give_up(Step::proc, kNoSuchProcess);
  call(__NR_prctl, PR_SET_NAME, address("tg-supervisor"));
  const long adopts = call(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1);
  if (adopts != 0) give_up(Step::supervise, adopts);
  const unsigned long child = 1UL << (kSigChild - 1);
  const long signals = call(__NR_signalfd4, -1, address(&child), kMaskBytes, kCloseOnExec | kNonBlocking);
  if (signals < 0) give_up(Step::supervise, signals);
  // The end of the program also closes the socket, unless a fork of the program holds the other end.
  const long program = call(__NR_pidfd_open, arguments.program, 0);
  if (call(__NR_getppid) != arguments.program) exit_now(1);
  const long command = start(arguments);
  // Otherwise readers of the command's output would never see its end.
  for (int fd = 0; fd < kControl; ++fd) call(__NR_close, fd);
  call(__NR_setsid);  // a signal to the program's process group is not for the supervisor
  // A search for the command by its arguments finds the command alone.
  for (long i = kFixedArguments; i < count; ++i)
    for (char* at = texts[i]; *at != '\0'; ++at) *at = '\0';
  Watch(arguments, command, static_cast<int>(signals), static_cast<int>(program)).run();
}

// The kernel begins here, with the number of arguments on the stack.
#if defined(__x86_64__)
asm(".text\n.globl _start\n_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call supervise\n");
#elif defined(__aarch64__)
asm(".text\n.globl _start\n_start:\n  mov x29, #0\n  mov x0, sp\n  bl supervise\n");
#endif

// The compiler makes calls of these out of loops and assignments.
extern "C" void* memset(void* to, int value, unsigned long bytes) {
  volatile char* at = static_cast<char*>(to);
  while (bytes-- > 0) *at++ = static_cast<char>(value);
  return to;
}
extern "C" void* memcpy(void* to, const void* from, unsigned long bytes) {
  volatile char* at = static_cast<char*>(to);
  const char* of = static_cast<const char*>(from);
  while (bytes-- > 0) *at++ = *of++;
  return to;
}

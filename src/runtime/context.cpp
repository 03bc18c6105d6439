// SPDX-License-Identifier: Apache-2.0
// The switch: registers and stack in assembly, the rest in C++.
#include "runtime/context.hpp"

#include <cxxabi.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "base/sanitizers.hpp"
#include "runtime/flow.hpp"
#include "runtime/processor.hpp"

#if TG_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if TG_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

#if !defined(TG_PORTABLE_CONTEXT)  // a build may ask for it, to test it
#if TG_X86_64 || TG_AARCH64
#define TG_PORTABLE_CONTEXT 0
#else
#define TG_PORTABLE_CONTEXT 1
#endif
#endif

#if TG_PORTABLE_CONTEXT
#include <ucontext.h>
#endif

#if !TG_PORTABLE_CONTEXT
// Saves the callee-saved registers on the running stack, and its address in `*from`; then restores those at
// `to`, and returns to the caller that saved them. The name has the library's version, because two releases
// may be in one program.
extern "C" void tg_v0_switch_stack(void** from, void* to);
// Where a new context begins: it calls the function that `make_frame` has put into its first frame.
extern "C" void tg_v0_begin_context();
#endif

#if !TG_PORTABLE_CONTEXT && TG_X86_64
// From the top of what is saved: the modes of SSE and x87, r15, r14, r13, r12, rbx, rbp, the return address.
asm(R"(
  .pushsection .text
  .globl tg_v0_switch_stack
  .hidden tg_v0_switch_stack
  .type tg_v0_switch_stack, @function
  .balign 16
tg_v0_switch_stack:
  .cfi_startproc
  endbr64
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbp, 0
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbx, 0
  pushq %r12
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r12, 0
  pushq %r13
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r13, 0
  pushq %r14
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r14, 0
  pushq %r15
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r15, 0
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  stmxcsr (%rsp)
  fnstcw 4(%rsp)
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  ldmxcsr (%rsp)
  fldcw 4(%rsp)
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %r15
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r15
  popq %r14
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r14
  popq %r13
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r13
  popq %r12
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r12
  popq %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore %rbx
  popq %rbp
  .cfi_adjust_cfa_offset -8
  .cfi_restore %rbp
  retq
  .cfi_endproc
  .size tg_v0_switch_stack, . - tg_v0_switch_stack

  .globl tg_v0_begin_context
  .hidden tg_v0_begin_context
  .type tg_v0_begin_context, @function
  .balign 16
tg_v0_begin_context:
  .cfi_startproc
  .cfi_undefined %rip
  movq %r12, %rdi
  callq *%r13
  ud2
  .cfi_endproc
  .size tg_v0_begin_context, . - tg_v0_begin_context
  .popsection
)");

namespace {
constexpr std::size_t kFrameWords = 8;
// So that the stack is aligned as at any call once `begin` is entered.
constexpr std::size_t kWordsAbove = 2;

void fill_frame(std::uintptr_t* frame, void (*begin)(void*) noexcept, void* argument) noexcept {
  std::uint32_t modes[2] = {};
  asm volatile("stmxcsr %0" : "=m"(modes[0]));
  asm volatile("fnstcw %0" : "=m"(modes[1]));
  std::memcpy(frame, modes, sizeof modes);
  frame[3] = reinterpret_cast<std::uintptr_t>(begin);     // r13
  frame[4] = reinterpret_cast<std::uintptr_t>(argument);  // r12
  frame[7] = reinterpret_cast<std::uintptr_t>(&tg_v0_begin_context);
}
}  // namespace
#endif

#if !TG_PORTABLE_CONTEXT && TG_AARCH64
// What is saved, in words: x19 to x30, d8 to d15, the mode of the floating-point unit, and a word of padding.
// `hint #34` is a landing pad for indirect calls, where the processor asks for one.
asm(R"(
  .pushsection .text
  .globl tg_v0_switch_stack
  .hidden tg_v0_switch_stack
  .type tg_v0_switch_stack, %function
  .balign 16
tg_v0_switch_stack:
  .cfi_startproc
  hint #34
  sub sp, sp, #176
  .cfi_adjust_cfa_offset 176
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  .cfi_rel_offset x29, 80
  .cfi_rel_offset x30, 88
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mrs x9, fpcr
  str x9, [sp, #160]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldr x9, [sp, #160]
  msr fpcr, x9
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #176
  .cfi_adjust_cfa_offset -176
  .cfi_restore x29
  .cfi_restore x30
  ret
  .cfi_endproc
  .size tg_v0_switch_stack, . - tg_v0_switch_stack

  .globl tg_v0_begin_context
  .hidden tg_v0_begin_context
  .type tg_v0_begin_context, %function
  .balign 16
tg_v0_begin_context:
  .cfi_startproc
  .cfi_undefined x30
  mov x0, x19
  blr x20
  brk #1
  .cfi_endproc
  .size tg_v0_begin_context, . - tg_v0_begin_context
  .popsection
)");

namespace {
constexpr std::size_t kFrameWords = 22;
constexpr std::size_t kWordsAbove = 2;

void fill_frame(std::uintptr_t* frame, void (*begin)(void*) noexcept, void* argument) noexcept {
  std::uint64_t mode = 0;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  frame[0] = reinterpret_cast<std::uintptr_t>(argument);  // x19
  frame[1] = reinterpret_cast<std::uintptr_t>(begin);     // x20
  frame[11] = reinterpret_cast<std::uintptr_t>(&tg_v0_begin_context);
  frame[20] = mode;
}
}  // namespace
#endif

namespace tg::inline v0::runtime {

// --- The stack ---

namespace {
// Linux 6.13, and its headers.
constexpr int kGuardInstall = 102;

// Without a mapping of its own if possible: a process may have only some 65,000 of them.
bool make_inaccessible(void* page, std::size_t bytes) noexcept {
  return ::madvise(page, bytes, kGuardInstall) == 0 || ::mprotect(page, bytes, PROT_NONE) == 0;
}
}  // namespace

ContextStack::ContextStack(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (bytes > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();
  bytes_ = (bytes + page - 1) / page * page;
  void* const memory = ::mmap(nullptr, page + bytes_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  if (!make_inaccessible(memory, page)) {
    ::munmap(memory, page + bytes_);
    throw std::bad_alloc();
  }
  low_ = static_cast<std::byte*>(memory) + page;
  // If all stacks ended at the same place of a page, their tops would compete for a few lines of the cache.
  unused_ = reinterpret_cast<std::uintptr_t>(low_) / page * kColor % page;
}

ContextStack::~ContextStack() {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
#if TG_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(low_, bytes_);  // the memory may become something else
#endif
  ::munmap(low_ - page, page + bytes_);
}

// --- Making a context ---

#if TG_PORTABLE_CONTEXT
struct PortableContext {
  ucontext_t state;
  void (*begin)(void*) noexcept;
  void* argument;
};

namespace {
// `makecontext` passes numbers only.
void begin_portable(unsigned int high, unsigned int low) noexcept {
  const auto address = static_cast<std::uintptr_t>(std::uint64_t{high} << 32 | low);
  auto* const self = reinterpret_cast<PortableContext*>(address);
  self->begin(self->argument);
}
}  // namespace
#else
struct PortableContext {};
#endif

Context::Context() noexcept = default;

Context::Context(const ContextStack& stack, Main main, void* argument)
    : main_(main), argument_(argument), low_(stack.low()), bytes_(stack.bytes()) {
#if TG_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(stack.low(), stack.bytes());  // from the context that had the stack before
#endif
#if TG_PORTABLE_CONTEXT
  portable_ = std::make_unique<PortableContext>();
  ::getcontext(&portable_->state);
  portable_->state.uc_stack.ss_sp = stack.low();
  portable_->state.uc_stack.ss_size = stack.bytes();
  portable_->state.uc_link = nullptr;
  portable_->begin = &Context::begin;
  portable_->argument = this;
  const std::uint64_t address = reinterpret_cast<std::uintptr_t>(portable_.get());
  ::makecontext(&portable_->state, reinterpret_cast<void (*)()>(&begin_portable), 2,
                static_cast<unsigned int>(address >> 32), static_cast<unsigned int>(address));
#else
  auto* const top = reinterpret_cast<std::uintptr_t*>(stack.low() + stack.bytes());
  std::uintptr_t* const frame = top - kWordsAbove - kFrameWords;
  std::memset(frame, 0, (kWordsAbove + kFrameWords) * sizeof *frame);
  fill_frame(frame, &Context::begin, this);
  stack_pointer_ = frame;
#endif
#if TG_THREAD_SANITIZER
  tsan_fiber_ = __tsan_create_fiber(0);
  owns_tsan_fiber_ = true;
#endif
}

Context::~Context() {
#if TG_THREAD_SANITIZER
  if (owns_tsan_fiber_) __tsan_destroy_fiber(tsan_fiber_);
#endif
}

void Context::begin(void* context) noexcept {
  auto* const self = static_cast<Context*>(context);
  self->arrive();
  self->main_(self->argument_);
  std::abort();  // it must end with `end_in`
}

// --- Switching ---

void Context::switch_to(Context& next) noexcept { leave(next, false); }

void Context::end_in(Context& next) noexcept {
  leave(next, true);
  std::abort();  // an ended context was continued
}

void Context::leave(Context& next, bool ends) noexcept {
  auto* const exceptions = reinterpret_cast<Exceptions*>(abi::__cxa_get_globals());
  exceptions_ = *exceptions;
  *exceptions = next.exceptions_;
  flow_ = Flow::current_;
  Flow::current_ = next.flow_;
#if TG_THREAD_SANITIZER
  if (tsan_fiber_ == nullptr) tsan_fiber_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(next.tsan_fiber_, 0);
#endif
#if TG_ADDRESS_SANITIZER
  if (low_ == nullptr) find_own_stack();
  __sanitizer_start_switch_fiber(ends ? nullptr : &fake_stack_, next.low_, next.bytes_);
#endif
  static_cast<void>(ends);
#if TG_PORTABLE_CONTEXT
  if (portable_ == nullptr) portable_ = std::make_unique<PortableContext>();
  ::swapcontext(&portable_->state, &next.portable_->state);
#else
  tg_v0_switch_stack(&stack_pointer_, next.stack_pointer_);
#endif
  arrive();
}

// Of a thread, for the sanitizer.
void Context::find_own_stack() noexcept {
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return;
  void* low = nullptr;
  if (::pthread_attr_getstack(&attributes, &low, &bytes_) == 0) low_ = low;
  ::pthread_attr_destroy(&attributes);
}

// The first thing on the stack of the context that is now running.
void Context::arrive() noexcept {
#if TG_ADDRESS_SANITIZER
  const void* low = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(fake_stack_, &low, &bytes);
#endif
}

}  // namespace tg::inline v0::runtime

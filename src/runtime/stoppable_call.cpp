// SPDX-License-Identifier: Apache-2.0
// The instructions.
#include "runtime/stoppable_call.hpp"

#define TG_LABEL(name) "  .hidden " name "\n  .globl " name "\n"
#define TG_LABELS                                                               \
  "  .text\n" TG_LABEL("tg_stoppable_call") TG_LABEL("tg_stoppable_call_begin") \
      TG_LABEL("tg_stoppable_call_end")                                         \
          TG_LABEL("tg_stoppable_call_stopped") "  .type tg_stoppable_call, %function\n"

#if TG_STOPPABLE_CALLS && TG_X86_64
asm(TG_LABELS R"(
  .balign 16
tg_stoppable_call:
  .cfi_startproc
  movq %rdi, %r11
  movq %rsi, %rax
  movq %rdx, %rdi
  movq %rcx, %rsi
  movq %r8, %rdx
  movq %r9, %r10
  movq 8(%rsp), %r8
  movq 16(%rsp), %r9
tg_stoppable_call_begin:
  cmpq $0, (%r11)
  jne tg_stoppable_call_stopped
  syscall
tg_stoppable_call_end:
  ret
tg_stoppable_call_stopped:
  movq $-125, %rax
  ret
  .cfi_endproc
  .size tg_stoppable_call, . - tg_stoppable_call
)");
#elif TG_STOPPABLE_CALLS && TG_AARCH64
asm(TG_LABELS R"(
  .balign 16
tg_stoppable_call:
  .cfi_startproc
  mov x9, x0
  mov x8, x1
  mov x0, x2
  mov x1, x3
  mov x2, x4
  mov x3, x5
  mov x4, x6
  mov x5, x7
tg_stoppable_call_begin:
  ldar x9, [x9]
  cbnz x9, tg_stoppable_call_stopped
  svc #0
tg_stoppable_call_end:
  ret
tg_stoppable_call_stopped:
  mov x0, #-125
  ret
  .cfi_endproc
  .size tg_stoppable_call, . - tg_stoppable_call
)");
#endif

namespace tg::inline v0::runtime {
static_assert(ECANCELED == 125, "the number in the instructions");
}  // namespace tg::inline v0::runtime

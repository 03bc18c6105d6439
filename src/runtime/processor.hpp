// SPDX-License-Identifier: Apache-2.0
// The processors for which the library has assembly.
#pragma once

// Not with 32-bit pointers: their registers and system calls differ.
#if defined(__x86_64__) && !defined(__ILP32__)
#define TG_X86_64 1
#else
#define TG_X86_64 0
#endif
#if defined(__aarch64__) && !defined(__ILP32__)
#define TG_AARCH64 1
#else
#define TG_AARCH64 0
#endif

// Whether a signal ends system calls (stoppable_call.hpp). Without it they poll (posix/polled_call.hpp). The build option
// of this name switches it off.
#if !defined(TG_STOPPABLE_CALLS)
#if TG_X86_64 || TG_AARCH64
#define TG_STOPPABLE_CALLS 1
#else
#define TG_STOPPABLE_CALLS 0
#endif
#endif

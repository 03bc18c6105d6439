// SPDX-License-Identifier: Apache-2.0
// What the operating system knows of the calling thread: processor, stack, name and number. In an engine, what
// the engine knows of the calling flow.
#pragma once

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/engine.hpp"

namespace tg::inline v0::runtime {

/// How many processors this process may use.
inline int processors() noexcept {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/// The processor on which the caller runs. In an engine, each flow has one of its own.
inline int this_processor() noexcept {
  if (const Engine* const engine = Engine::of_caller()) [[unlikely]]
    return engine->number_of_flow();
  return ::sched_getcpu();
}

inline std::size_t default_stack_bytes() noexcept {
  std::size_t bytes = 0;
#if defined(__GLIBC__)
  pthread_attr_t attributes;
  if (::pthread_getattr_default_np(&attributes) != 0) return 0;
  ::pthread_attr_getstacksize(&attributes, &bytes);
  ::pthread_attr_destroy(&attributes);
#endif
  return bytes;
}

/// The part of the stack in which at least half of the stack is free. That of the main thread follows the limit
/// of the process.
struct StackRange {
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;
};
inline StackRange find_roomy_part_of_stack() noexcept {
  if (const Engine* const engine = Engine::of_caller()) {
    const Engine::Stack stack = engine->stack_of_flow();
    const auto address = reinterpret_cast<std::uintptr_t>(stack.low);
    return {address + stack.bytes / 2, address + stack.bytes};
  }
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return {1, 1};  // none, and not asked again
  void* low = nullptr;
  std::size_t bytes = 0;
  const bool known = ::pthread_attr_getstack(&attributes, &low, &bytes) == 0;
  ::pthread_attr_destroy(&attributes);
  if (!known) return {1, 1};
  // Half of what a task has on a thread of the library, too: the thread may have been made with a small stack.
  const auto address = reinterpret_cast<std::uintptr_t>(low);
  return {address + std::max(bytes, default_stack_bytes()) / 2, address + bytes};
}

inline bool on_main_thread() noexcept { return ::getpid() == static_cast<pid_t>(::syscall(SYS_gettid)); }

/// The name that the system has for the calling thread.
inline void read_os_name(char* name, std::size_t bytes) noexcept {
  if (::pthread_getname_np(::pthread_self(), name, bytes) != 0) name[0] = '\0';
}
inline void write_os_name(const char* name) noexcept {
  if (Engine* const engine = Engine::of_caller()) return engine->name_flow(name);
  ::pthread_setname_np(::pthread_self(), name);
}
inline std::string os_number() {
  if (const Engine* const engine = Engine::of_caller()) return std::to_string(engine->number_of_flow());
  return std::to_string(::syscall(SYS_gettid));
}

}  // namespace tg::inline v0::runtime

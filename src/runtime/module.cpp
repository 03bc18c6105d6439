// SPDX-License-Identifier: Apache-2.0
// Pins the library's code.
#include "runtime/module.hpp"

#include <dlfcn.h>
#include <sys/auxv.h>

#include <cstdint>

// A program that is linked statically has neither, and nothing that could be unmapped.
#pragma weak dladdr
#pragma weak dlopen

namespace tg::inline v0::runtime {

namespace {
// An executable's program headers are on its first page.
bool is_executable(const void* base) noexcept {
  return ::getauxval(AT_PHDR) - reinterpret_cast<std::uintptr_t>(base) < 4096;
}
}  // namespace

void keep_module_mapped() noexcept {
  if (&::dladdr == nullptr || &::dlopen == nullptr) return;
  Dl_info module = {};
  if (::dladdr(reinterpret_cast<const void*>(&keep_module_mapped), &module) == 0) return;
  if (module.dli_fname == nullptr || is_executable(module.dli_fbase)) return;
  // It is loaded, so this only adds the flag; and the handle, which is kept.
  static_cast<void>(::dlopen(module.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE));
}

}  // namespace tg::inline v0::runtime

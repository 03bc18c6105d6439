// SPDX-License-Identifier: Apache-2.0
// Asking the dynamic linker.
#include "interpose/next_function.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "base/report.hpp"

namespace tg::inline v0::interpose {

namespace {
// Whether an address is in the program or library of which this function is a part.
bool is_in_this_module(const void* address) noexcept {
  Dl_info of_address{};
  Dl_info of_this{};
  return ::dladdr(address, &of_address) != 0 &&
         ::dladdr(reinterpret_cast<const void*>(&is_in_this_module), &of_this) != 0 &&
         of_address.dli_fbase == of_this.dli_fbase;
}

// A sanitizer's function, which another name has. If the program's calls come here first, the sanitizer has not seen them.
// Otherwise they come from its function, and must not go there again.
void* function_of_sanitizer(const char* name) noexcept {
  const void* const first = ::dlsym(RTLD_DEFAULT, name);
  if (first == nullptr || !is_in_this_module(first)) return nullptr;
  char other_name[64] = "__interceptor_";
  std::size_t length = std::char_traits<char>::length(other_name);
  for (; *name != '\0' && length + 1 < sizeof other_name; ++name) other_name[length++] = *name;
  return ::dlsym(RTLD_DEFAULT, other_name);
}
}  // namespace

void* NextSymbol::find() noexcept {
  void* found = function_of_sanitizer(name_);
  if (found == nullptr) found = ::dlsym(RTLD_NEXT, name_);
  address_.store(found, std::memory_order_release);
  return found;
}

void* NextSymbol::find_or_end() noexcept {
  void* const found = find();
  if (found == nullptr) {
    detail::report_line({"threadgroup::interpose finds no function ", name_, " in a shared library"});
    std::abort();
  }
  return found;
}

}  // namespace tg::inline v0::interpose

// SPDX-License-Identifier: Apache-2.0
// Demangles names of types.
#include <cxxabi.h>

#include <cstdlib>
#include <memory>

#include <threadgroup/vault/printable.hpp>

namespace tg::detail {

std::string readable_type_name(const std::type_info& type) {
  if (type == typeid(std::string)) return "std::string";
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : type.name();
}

}  // namespace tg::detail

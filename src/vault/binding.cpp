// SPDX-License-Identifier: Apache-2.0
// Names functions that were given no name.
#include <threadgroup/detail/vault/binding.hpp>

#include <fmt/format.h>

namespace tg::inline v0::detail {

std::string describe_flow(const VaultCore& core, std::span<const std::size_t> inputs,
                          std::span<const std::size_t> outputs) {
  const auto list = [&core](std::span<const std::size_t> slots) {
    std::string text;
    for (const std::size_t slot : slots) text += (text.empty() ? "" : ", ") + core.info(slot).name;
    return text;
  };
  return fmt::format("({} -> {})", list(inputs), list(outputs));
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Addresses in the code of the running program, and what is at them.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::sim {

/// The return addresses on a stack, from the frames that the library was compiled to keep.
std::vector<const void*> calls_from(const void* frame, const std::byte* low, std::size_t bytes);

/// File, line and function of an address of the running program, by `addr2line`; empty if it is not known.
/// For inlined code they are those of the innermost caller outside atomic.hpp and mutex.hpp.
class Places {
 public:
  explicit Places(const std::vector<const void*>& addresses);
  std::string operator[](const void* address) const;

 private:
  std::vector<std::pair<const void*, std::string>> known_;
};

}  // namespace tg::inline v0::sim

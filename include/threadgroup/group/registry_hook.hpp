// SPDX-License-Identifier: Apache-2.0
// What a group knows of its registered functions: that they may be there.
#pragma once

#include <atomic>

namespace tg::detail {

/// The registered functions of a group; what that is, is known to the layer `registry` alone.
class Registry;

/// Holds a group's registry, which is made when first needed: until then, one null pointer.
///
/// The layer `registry`, which sees this one and not the other way round, defines the members.
class RegistryHook {
 public:
  RegistryHook() = default;
  RegistryHook(const RegistryHook&) = delete;
  RegistryHook& operator=(const RegistryHook&) = delete;
  ~RegistryHook() {
    if (Registry* const registry = registry_.load(std::memory_order_acquire)) destroy(registry);
  }

  Registry& get_or_make();
  Registry* get() const noexcept { return registry_.load(std::memory_order_acquire); }
  /// In a forked child: another thread may have been in the middle of changing it.
  void leave_to_the_parent() noexcept { registry_.store(nullptr, std::memory_order_relaxed); }

 private:
  static void destroy(Registry* registry) noexcept;
  std::atomic<Registry*> registry_{nullptr};  // atomic: several threads may be the first to register
};

}  // namespace tg::detail

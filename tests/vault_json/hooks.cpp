// SPDX-License-Identifier: Apache-2.0
// The allocations of the test program.
#include "hooks.hpp"

#include <utility>

#include "support/failing_new.hpp"

namespace tg::test {
namespace {

struct Plan {
  long fail_after = -1;  // below zero: never
  bool all = false;
  bool has_failed = false;
  long call_after = -1;
  void (*function)() = nullptr;
};
constinit thread_local Plan plan;

}  // namespace

bool allocation_fails() noexcept {
  if (plan.function != nullptr && plan.call_after-- == 0) std::exchange(plan.function, nullptr)();
  const bool fails = plan.all || (plan.fail_after >= 0 && plan.fail_after-- == 0);
  plan.has_failed = plan.has_failed || fails;
  return fails;
}

void fail_one_after(long allocations) noexcept { plan.fail_after = allocations; }
void fail_all() noexcept { plan.all = true; }
void call_after(long allocations, void (*function)()) noexcept {
  plan.call_after = allocations;
  plan.function = function;
}
bool spare() noexcept { return std::exchange(plan, {}).has_failed; }

}  // namespace tg::test

// SPDX-License-Identifier: Apache-2.0
// Where the points of a build for explorations lead. In other builds there is nothing here.
#include "runtime/simulator.hpp"

#if defined(TG_SIMULATION)

#include <vector>

namespace tg::inline v0::detail {

void point(Access access, const void* word, const void* place) noexcept {
  if (auto* const simulator = runtime::Simulator::running()) simulator->point(access, word, place);
}

void yield() noexcept {
  if (auto* const simulator = runtime::Simulator::running()) simulator->yield(__builtin_return_address(0));
}

void fence(Access kind) noexcept {
  if (memory_model == nullptr) return;
  point(kind, nullptr, __builtin_return_address(0));
  memory_model->fence(kind);
}

void say(std::string_view text) noexcept {
  if (auto* const simulator = runtime::Simulator::running()) simulator->say(text);
}

}  // namespace tg::inline v0::detail

namespace tg::inline v0::runtime {

constinit Simulator* Simulator::running_ = nullptr;

namespace {
// In the order in which the parts are loaded.
std::vector<void (*)()>& restarts() {
  static auto* const all = new std::vector<void (*)()>;
  return *all;
}
}  // namespace

void Simulator::at_restart(void (*forget)()) { restarts().push_back(forget); }

void Simulator::restart() noexcept {
  for (void (*const forget)() : restarts()) forget();
}

}  // namespace tg::inline v0::runtime

#endif

// SPDX-License-Identifier: Apache-2.0
// The parts that each engine has, and where the points of a build for explorations lead.
#include "runtime/engine.hpp"

#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "base/report.hpp"
#include "runtime/fork.hpp"

namespace tg::inline v0::runtime {

namespace {
constinit std::array<Engine::PartFunctions, Engine::kParts> parts{};  // constant once the library is loaded

bool take_report(std::string_view lines) noexcept {
  Engine* const engine = Engine::of_caller();
  if (engine != nullptr) engine->say(lines.substr(0, lines.size() - 1));
  return engine != nullptr;
}
[[gnu::constructor(at_load::kHooks)]] void take_reports() { tg::detail::report_taker = &take_report; }
}  // namespace

void Engine::register_part(Part part, PartFunctions functions) noexcept {
  parts[static_cast<std::size_t>(part)] = functions;
}

void Engine::make_parts() {
  // Of a static library only what the program uses is linked.
  for (std::size_t i = 0; i < kParts; ++i)
    if (parts[i].make != nullptr) parts_[i] = parts[i].make();
}

void Engine::forget_parts() noexcept {
  for (std::size_t i = 0; i < kParts; ++i)
    if (parts_[i] != nullptr) parts[i].forget(parts_[i]);
}

[[gnu::cold]] void refuse_mixture() {
  if (Engine* const engine = Engine::of_caller())
    engine->fail(
        "a task was added to a group from outside: a program in a simulation makes its groups itself");
  tg::detail::report_line(
      {"a thread that a simulation does not know uses a group of it; a program in a simulation "
       "starts no threads of its own"});
  std::abort();
}

void refuse_real_io(const std::string& what) {
  if (Engine::of_caller() == nullptr) return;
  throw std::logic_error(what +
                         ": a simulation does no real input or output; give the program a stand-in for it");
}

#if defined(TG_SIMULATION)

constinit Engine* Engine::running_ = nullptr;

namespace {
// In the order in which the parts are loaded.
std::vector<void (*)()>& restarts() {
  static auto* const all = new std::vector<void (*)()>;
  return *all;
}
}  // namespace

void Engine::at_restart(void (*forget)()) { restarts().push_back(forget); }

void Engine::restart() noexcept {
  for (void (*const forget)() : restarts()) forget();
}

#else

constinit thread_local Engine* Engine::running_ = nullptr;

#endif

}  // namespace tg::inline v0::runtime

#if defined(TG_SIMULATION)

namespace tg::inline v0::detail {

void point(Access access, const void* word, const void* place) noexcept {
  if (auto* const engine = runtime::Engine::of_caller()) engine->point(access, word, place);
}

void yield() noexcept {
  if (auto* const engine = runtime::Engine::of_caller()) engine->yield(__builtin_return_address(0));
}

void destroyed(const void* word) noexcept {
  if (auto* const engine = runtime::Engine::of_caller()) engine->destroy(word);
}

void fence(Access kind) noexcept {
  if (memory_model == nullptr) return;
  point(kind, nullptr, __builtin_return_address(0));
  memory_model->fence(kind);
}

}  // namespace tg::inline v0::detail

#endif

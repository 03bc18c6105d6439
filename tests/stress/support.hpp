// SPDX-License-Identifier: Apache-2.0
// What the stress tests share: how much to do, and where the seed comes from.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "base/sanitizers.hpp"

namespace tg::stress {

using detail::kSanitized;

/// So many rounds in a normal build, a fifth of them where each one costs ten times as much. For more,
/// repeat the whole test.
inline constexpr int rounds(int normal) { return kSanitized ? (normal + 4) / 5 : normal; }

/// The number of operations in a suite `*Million`: all of them under the sanitizers, where a test takes some 15 s, and a tenth in a
/// normal build.
inline constexpr int many(int all) { return kSanitized ? all : all / 10; }

/// A new seed for each run, or the one in TG_STRESS_SEED. It is written out before the work starts, so that a
/// run that hangs or crashes has named it, too.
inline std::uint64_t choose_seed() {
  const char* const given = std::getenv("TG_STRESS_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  std::cout << "run this again with TG_STRESS_SEED=" << seed << std::endl;
  return seed;
}

/// Small and fast, with a state of its own for each thread and task.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t fork() { return engine_(); }
  /// From 0 to below `bound`.
  int below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(bound)); }
  bool one_in(int n) { return below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tg::stress

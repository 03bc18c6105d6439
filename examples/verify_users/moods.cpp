// SPDX-License-Identifier: Apache-2.0
// Seeded moods.
#include "moods.hpp"

#include <random>
#include <string_view>

#include "service.hpp"

namespace verify_users {
namespace {

// std::hash may differ between standard libraries, and a seed should mean the same everywhere.
std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// In [0, 1). The standard's distributions are left to the library as well.
double fraction(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

}  // namespace

Mood mood_for(const ServiceOptions& options, const std::string& key, std::uint64_t attempt) {
  std::mt19937_64 random(options.seed ^ fnv1a(key + '#' + std::to_string(attempt)));
  const auto span = static_cast<double>((options.max_latency - options.min_latency).count());
  const auto extra = static_cast<std::chrono::milliseconds::rep>(fraction(random) * (span + 1));
  return {options.min_latency + std::chrono::milliseconds{extra}, fraction(random) < options.failure_share};
}

}  // namespace verify_users

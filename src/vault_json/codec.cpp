// SPDX-License-Identifier: Apache-2.0
// Writes one value.
#include <cmath>

#include <threadgroup/vault_json/codec.hpp>

namespace tg::detail {

namespace {

constexpr int kDeepest = 200;  // nlohmann-json writes by recursion

void check(const nlohmann::json& json, int depth) {
  if (depth > kDeepest) throw std::invalid_argument("it is nested too deeply");
  if (json.is_number_float() && !std::isfinite(json.get<double>()))
    throw std::invalid_argument("JSON has no NaN and no infinity");
  if (!json.is_structured()) return;
  for (const nlohmann::json& part : json) check(part, depth + 1);
}

}  // namespace

std::string json_text(const nlohmann::json& json) {
  check(json, 1);
  return json.dump();
}

}  // namespace tg::detail

// SPDX-License-Identifier: Apache-2.0
// Writes one value.
#include <threadgroup/detail/vault_json/codec.hpp>

#include <cmath>

namespace tg::inline v0::detail {

namespace {

void require_writable_at(const nlohmann::json& json, int depth) {
  if (json.is_number_float() && !std::isfinite(json.get<double>()))
    throw std::invalid_argument("JSON has no NaN and no infinity");
  if (json.is_binary()) throw std::invalid_argument("JSON has no binary data");
  if (json.is_discarded()) throw std::invalid_argument("the JSON value is a discarded one");
  if (!json.is_structured()) return;
  if (depth > kDeepestValue) throw std::invalid_argument("it is nested too deeply");
  for (const nlohmann::json& part : json) require_writable_at(part, depth + 1);
}

}  // namespace

void require_writable(const nlohmann::json& json) { require_writable_at(json, 1); }

std::string json_text(const nlohmann::json& json) {
  require_writable(json);
  return json.dump();
}

void EmptiedJson::empty(nlohmann::json& json, int depth) noexcept {
  // Values of users may be nested deeper than the stack is. They are refused, but they have to be destroyed.
  if (!json.is_structured() || depth > kDeepestValue) return;
  for (nlohmann::json& part : json) empty(part, depth + 1);
  json.clear();
}

}  // namespace tg::inline v0::detail

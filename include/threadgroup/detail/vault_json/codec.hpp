// SPDX-License-Identifier: Apache-2.0
// Conversion of values to JSON and back, by nlohmann-json's usual hooks.
#pragma once

#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/vault/sink.hpp>
#include <threadgroup/detail/vault_json/json_fit.hpp>
#include <threadgroup/vault_keyring.hpp>

namespace tg::inline v0::detail {

/// True if nlohmann-json can write and read the type, and a value that was read outlives the JSON.
template <class T>
concept JsonAble = requires(const T& value, const nlohmann::json& json) {
  nlohmann::json(value);
  { json.get<T>() } -> std::convertible_to<T>;
}
&&all_parts<IsNoView, T>();

/// How deep lists and objects in a value may be nested; limited because nlohmann-json writes by recursion.
inline constexpr int kDeepestValue = 99;

/// Throws `std::invalid_argument` if JSON cannot represent it: NaN, infinity, binary data, too deep nesting.
TG_EXPORT void require_writable(const nlohmann::json& json);
/// The text of a value. Throws as well if it contains text that is not UTF-8.
TG_EXPORT std::string json_text(const nlohmann::json& json);

/// Empties a JSON value at the end of a scope. The destructor of a list or an object that is not empty
/// allocates memory, and ends the process if that fails.
class TG_EXPORT EmptiedJson {
 public:
  explicit EmptiedJson(nlohmann::json& json) noexcept : json_(json) {}
  EmptiedJson(const EmptiedJson&) = delete;
  EmptiedJson& operator=(const EmptiedJson&) = delete;
  ~EmptiedJson() { empty(json_, 0); }

 private:
  static void empty(nlohmann::json& json, int depth) noexcept;
  nlohmann::json& json_;
};

template <class T>
std::string encode_json(const T& value) {
  nlohmann::json json(value);
  const EmptiedJson emptied(json);
  if constexpr (!all_parts<IsNoLongDouble, T>()) {
    if (!(json.get<T>() == value)) throw std::invalid_argument("JSON keeps the precision of a double only");
  }
  return json_text(json);
}

template <class T>
T decode_json(const nlohmann::json& json) {
  require_fit<T>(json);
  T value = json.get<T>();
  if constexpr (!all_parts<IsUnderstood, T>()) {
    nlohmann::json written(value);
    const EmptiedJson emptied(written);
    require_writable(written);
    require_uncut(json, written);
  }
  return value;
}

/// How the values of one key are written and read.
struct JsonCodec {
  std::string (*encode)(const ValueRef& value) = nullptr;
  ValueRef (*decode)(const KeyInfo& key, const nlohmann::json& json) = nullptr;
};

template <class T>
constexpr JsonCodec json_codec() {
  return {[](const ValueRef& value) { return encode_json(value.as<T>()); },
          [](const KeyInfo& key, const nlohmann::json& json) {
            return static_cast<const TypedKeyInfo<T>&>(key).make_unmodified(decode_json<T>(json));
          }};
}

}  // namespace tg::inline v0::detail

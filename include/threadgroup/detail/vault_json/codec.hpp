// SPDX-License-Identifier: Apache-2.0
// Values to JSON and back, through nlohmann-json's usual hooks.
#pragma once

#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <threadgroup/detail/vault/keyring.hpp>
#include <threadgroup/detail/vault/sink.hpp>
#include <threadgroup/detail/vault_json/json_fit.hpp>

namespace tg::detail {

/// nlohmann-json knows how to write it and how to read it, and what is read outlives the JSON.
template <class T>
concept JsonAble = requires(const T& value, const nlohmann::json& json) {
  nlohmann::json(value);
  { json.get<T>() } -> std::convertible_to<T>;
}
&&all_parts<IsNoView, T>();

/// How deep lists and objects in a value may be nested: nlohmann-json writes by recursion.
inline constexpr int kDeepestValue = 99;

/// Throws `std::invalid_argument` if JSON cannot hold it: NaN, infinity, binary data, nesting without end.
void require_writable(const nlohmann::json& json);
/// The text of a value. Throws as well if there is text in it that is not UTF-8.
std::string json_text(const nlohmann::json& json);

/// Empties a JSON value at the end of the scope. The destructor of a list or an object allocates memory
/// unless it is empty, and where there is none that ends the process.
class EmptiedJson {
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

}  // namespace tg::detail

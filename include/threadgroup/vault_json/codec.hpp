// SPDX-License-Identifier: Apache-2.0
// Values to JSON and back, through nlohmann-json's usual hooks.
#pragma once

#include <array>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <threadgroup/vault/keyring.hpp>
#include <threadgroup/vault/sink.hpp>

namespace tg {

namespace detail {

/// nlohmann-json knows how to write it and how to read it.
template <class T>
concept JsonAble = !std::is_pointer_v<T> && requires(const T& value, const nlohmann::json& json) {
  nlohmann::json(value);
  { json.get<T>() } -> std::convertible_to<T>;
};

// For these types, what was read must give the same JSON when it is written again: else something was lost on
// the way, for instance the fraction of 2.5 in an int. Types of users may read what they like.
template <class T>
inline constexpr bool kExact =
    (std::is_arithmetic_v<T> && !std::is_floating_point_v<T>) || std::is_same_v<T, std::string>;
template <class T>
inline constexpr bool kExact<std::vector<T>> = kExact<T>;
template <class T>
inline constexpr bool kExact<std::deque<T>> = kExact<T>;
template <class T>
inline constexpr bool kExact<std::list<T>> = kExact<T>;
template <class T, std::size_t N>
inline constexpr bool kExact<std::array<T, N>> = kExact<T>;
template <class T>
inline constexpr bool kExact<std::map<std::string, T>> = kExact<T>;
template <class... T>
inline constexpr bool kExact<std::tuple<T...>> = (kExact<T> && ...);
template <class A, class B>
inline constexpr bool kExact<std::pair<A, B>> = kExact<A>&& kExact<B>;

/// The text of a value, or an error if it would not come back the same: a number that JSON does not know,
/// text that is not UTF-8, nesting without end.
std::string json_text(const nlohmann::json& json);

/// How the values of one key are written and read.
struct JsonCodec {
  std::string (*encode)(const ValueRef& value) = nullptr;
  ValueRef (*decode)(const KeyInfo& key, const nlohmann::json& json) = nullptr;
};

template <class T>
constexpr JsonCodec json_codec() {
  return {
      [](const ValueRef& value) { return json_text(nlohmann::json(value.as<T>())); },
      [](const KeyInfo& key, const nlohmann::json& json) {
        const bool kind_differs = std::is_floating_point_v<T> && !json.is_number();
        T value =
            kind_differs
                ? throw std::invalid_argument("a number is expected, not " + std::string(json.type_name()))
                : json.get<T>();
        if constexpr (kExact<T>) {
          if (nlohmann::json(value) != json)
            throw std::invalid_argument("the value does not fit the type " + readable_type_name(typeid(T)));
        }
        return static_cast<const TypedKeyInfo<T>&>(key).make_unmodified(std::move(value));
      }};
}

}  // namespace detail

/// A key and, if its type is JSON-able, how to write and read it.
class JsonKey {
 public:
  template <class T>
  JsonKey(const Key<T>& key) : info_(key.shared_info()) {  // implicit: lists of keys are written with it
    if constexpr (detail::JsonAble<T>) codec_ = detail::json_codec<T>();
  }
  const std::shared_ptr<const detail::KeyInfo>& info() const noexcept { return info_; }
  const detail::JsonCodec& codec() const noexcept { return codec_; }

 private:
  std::shared_ptr<const detail::KeyInfo> info_;
  detail::JsonCodec codec_;
};

/// The keys that a file holds: `{a, b}`, or a keyring. Keys of types that are not JSON-able are left out.
class JsonKeys {
 public:
  JsonKeys(std::initializer_list<JsonKey> keys) : keys_(keys) {}
  template <KeyringType Ring>
  JsonKeys(const Ring& ring) {  // implicit: a keyring is a list of keys
    detail::for_each_key(ring, [this](const auto& key) { keys_.emplace_back(key); });
  }
  void add(const JsonKey& key) { keys_.push_back(key); }
  const std::vector<JsonKey>& keys() const noexcept { return keys_; }

 private:
  std::vector<JsonKey> keys_;
};

}  // namespace tg

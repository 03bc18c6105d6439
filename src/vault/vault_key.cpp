// SPDX-License-Identifier: Apache-2.0
// What keys of all types share.
#include <threadgroup/vault_key.hpp>

#include <stdexcept>

namespace tg::inline v0::detail {

KeyInfo::KeyInfo(std::string given, const std::type_info& its_type, bool type_is_short)
    : name(std::move(given)), hash(std::hash<std::string>()(name)), type(&its_type), is_short(type_is_short) {
  if (name.empty()) throw std::invalid_argument("tg::Key: a key needs a name");
}

std::string in_short(std::string text) {
  constexpr std::size_t kMost = 300;
  if (text.size() <= kMost) return text;
  const std::string rest = "... (" + std::to_string(text.size()) + " bytes)";
  std::size_t cut = kMost;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;  // not inside a character
  text.resize(cut);
  return text + rest;
}

void throw_rejected(const std::string& key, const std::string& why) {
  throw ValueRejectedError(key, "key '" + key + "': the value is rejected: " + why);
}

}  // namespace tg::inline v0::detail

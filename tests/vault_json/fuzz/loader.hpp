// SPDX-License-Identifier: Apache-2.0
// One try of the loader with arbitrary bytes: it loads them, or refuses them and leaves the vault as it was.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <threadgroup/vault_json.hpp>

#include "round_trip.hpp"
#include "vault_json/document.hpp"

namespace tg::fuzz {

struct Ring {
  Key<int> number{"number", [](const int& i) { return i != 13; }};
  Key<signed char> small{"small"};
  Key<std::int64_t> large{"large"};
  Key<std::uint64_t> positive{"positive"};
  Key<float> single{"single"};
  Key<bool> flag{"flag"};
  Key<double> real{"real"};
  Key<std::string> text{"text"};
  Key<std::vector<int>> list{"list"};
  Key<std::map<std::string, std::vector<std::string>>> table{"table"};
  Key<nlohmann::json> any{"any"};
};

/// What was loaded has the value that the file shows.
inline void require_as_written(const std::string& key, const std::string& raw) {
  if (raw.find_first_not_of("-0123456789") != std::string::npos) return;
  if (key == "number") check_integer_text<int>(raw);
  if (key == "small") check_integer_text<signed char>(raw);
  if (key == "large") check_integer_text<std::int64_t>(raw);
  if (key == "positive") check_integer_text<std::uint64_t>(raw);
}

inline bool try_load(std::string_view text, UnknownKeys unknown) {
  static const Ring ring;
  Vault vault("fuzz", ring);
  detail::VaultCore& core = *vault.core();
  const detail::JsonSchema schema(core, ring);
  detail::Document document;
  try {
    document = detail::read_document(text, "fuzz.json", core, schema, unknown);
  } catch (const ResourceError& e) {
    require(std::string_view(e.what()).substr(0, 10) == "fuzz.json:", "an error without a place");
    return false;
  }
  // What was loaded can be stored, written and loaded again, with the same outcome.
  for (const detail::Change& change : document.values)
    require_as_written(core.info(change.slot).name, *change.encoded);
  core.commit(document.values, {});
  detail::EncodedVault encoded;
  const std::vector<detail::ValueRef> values = core.all_values();
  for (std::size_t slot = 0; slot < values.size(); ++slot) {
    if (!values[slot]) continue;
    encoded.values.emplace_back(
        core.info(slot).name, std::make_shared<const std::string>(schema.codecs[slot].encode(values[slot])));
  }
  const std::string written = detail::write_document(encoded, document.ignored);
  const detail::Document again = detail::read_document(written, "again.json", core, schema, unknown);
  require(again.values.size() == encoded.values.size(), "a value was lost on the way");
  require(again.ignored == document.ignored, "an ignored member changed on the way");
  for (const detail::Change& change : again.values) {
    require(schema.codecs[change.slot].encode(change.value) ==
                schema.codecs[change.slot].encode(values[change.slot]),
            "a value changed on the way");
  }
  return true;
}

inline bool one_input(std::string_view bytes) {
  const bool strict = try_load(bytes, UnknownKeys::refuse);
  const bool lenient = try_load(bytes, UnknownKeys::ignore);
  require(lenient || !strict, "ignoring unknown keys refused what was fine");
  return lenient;
}

}  // namespace tg::fuzz

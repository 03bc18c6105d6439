// SPDX-License-Identifier: Apache-2.0
// Reading and writing the text of a vault's file.
#include "vault_json/document.hpp"

#include <algorithm>
#include <new>
#include <set>
#include <stdexcept>

#include <threadgroup/reason.hpp>

#include "vault_json/parse.hpp"
#include "vault_json/rounding.hpp"

namespace tg::inline v0::detail {

namespace {

constexpr int kDeepest = kDeepestValue + 1;  // a value and the object around it

/// "file.json:3:14: "
std::string place(const std::string& file, std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t newline = before.rfind('\n');
  const std::size_t column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": ";
}

struct Member {
  std::string name;
  std::size_t at = 0;     // of the name
  std::size_t begin = 0;  // of the value
  std::size_t end = 0;
};

/// Finds the members of the outermost object. Requires: the text is well-formed JSON, an object.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<Member> members() {
    std::vector<Member> found;
    at_ = text_.find('{') + 1;
    for (skip_space(); at_ < text_.size() && text_[at_] != '}'; skip_space()) {
      if (text_[at_] == ',') {
        ++at_;
        continue;
      }
      Member member;
      member.at = at_;
      skip_string();
      member.name = nlohmann::json::parse(text_.substr(member.at, at_ - member.at)).get<std::string>();
      skip_space();
      ++at_;  // the colon
      skip_space();
      member.begin = at_;
      skip_value();
      member.end = at_;
      found.push_back(std::move(member));
    }
    return found;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }
  void skip_value() {
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        skip_string();
        if (depth == 0) return;
        continue;
      }
      if (depth == 0 && std::string_view(",} \t\r\n").find(c) != std::string_view::npos) return;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) {
        ++at_;
        return;
      }
      ++at_;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Deep nesting is refused before anything looks at the text by recursion. Where it begins, or npos.
std::size_t find_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kDeepest) return at;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return std::string_view::npos;
}

// Finds a number that no double can hold, such as 1e400: nlohmann-json does not say where it is.
class OverflowFinder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return ++depth_, true; }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t) override { return ++depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool key(string_t& name) override {
    if (depth_ == 1) key_ = name;
    return true;
  }
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::json::exception&) override {
    at_ = position - std::min(position, token.size());
    number_ = token;
    return false;
  }

  std::string key_;  // the outermost one
  std::string number_;
  std::size_t at_ = 0;

 private:
  int depth_ = 0;
};

[[noreturn]] void throw_overflow(std::string_view text, const std::string& file) {
  OverflowFinder finder;
  static_cast<void>(nlohmann::json::sax_parse(text, &finder));
  const std::string key = finder.key_.empty() ? "" : "key '" + finder.key_ + "': ";
  throw ResourceError(finder.key_,
                      place(file, text, finder.at_) + key + "the number " + finder.number_ + " is too large");
}

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

/// With `\xff` in place of each byte that is no printable ASCII character.
std::string with_bytes_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    constexpr const char* digits = "0123456789abcdef";
    if (byte >= 0x20 && byte < 0x7f) {
      escaped += c;
    } else {
      escaped += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return escaped;
}

}  // namespace

JsonSchema::JsonSchema(const VaultCore& core, const JsonKeys& keys) : codecs(core.slots()) {
  for (const JsonKey& key : keys.keys()) {
    const std::size_t slot = core.find(*key.info());
    if (key.codec().encode == nullptr || codecs[slot].encode != nullptr) continue;
    const std::string& name = key.info()->name;
    if (!is_utf8(name))
      throw ResourceError(
          name, "key '" + with_bytes_escaped(name) + "': its name is not UTF-8, and JSON has no other names");
    codecs[slot] = key.codec();
    slots.push_back(slot);
  }
}

Document read_document(std::string_view text, const std::string& file, const VaultCore& core,
                       const JsonSchema& schema, UnknownKeys unknown) {
  if (const std::size_t deep = find_too_deep(text); deep != std::string_view::npos)
    throw ResourceError("", place(file, text, deep) + "the JSON is nested too deeply");
  nlohmann::json whole;
  const EmptiedJson emptied(whole);
  try {
    parse_json(text, whole);
  } catch (const nlohmann::json::parse_error& e) {
    throw ResourceError("", place(file, text, e.byte > 0 ? e.byte - 1 : 0) + "broken JSON: " + e.what());
  } catch (const nlohmann::json::out_of_range&) {
    throw_overflow(text, file);
  }
  if (!whole.is_object())
    throw ResourceError("", place(file, text, 0) + "an object is expected, not " + whole.type_name());

  Document document;
  std::set<std::string> seen;
  for (const Member& member : Scanner(text).members()) {
    const auto refuse = [&](std::size_t offset, const std::string& why) {
      throw ResourceError(member.name, place(file, text, offset) + "key '" + member.name + "': " + why);
    };
    if (!seen.insert(member.name).second) refuse(member.at, "it appears twice");
    const std::string raw(text.substr(member.begin, member.end - member.begin));
    const std::size_t slot = core.find_name(member.name);
    if (slot == kNone || schema.codecs[slot].decode == nullptr) {
      if (unknown == UnknownKeys::refuse)
        refuse(member.at, slot == kNone ? "the vault has no such key" : "this key is not kept in this file");
      document.ignored.emplace_back(member.name, raw);
      continue;
    }
    ValueRef value;
    std::string problem;
    try {
      const RoundedNumbers rounded = rounded_numbers(raw);
      if (!rounded.too_small.empty())
        throw std::invalid_argument("the number " + rounded.too_small + " is too small");
      ValueRef decoded = schema.codecs[slot].decode(core.info(slot), whole.at(member.name));
      if (!rounded.whole.empty()) {
        nlohmann::json written;
        const EmptiedJson emptied_too(written);
        parse_json(schema.codecs[slot].encode(decoded), written);
        require_kept_fractions(rounded, written);
      }
      value = std::move(decoded);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (...) {
      problem = describe_exception(std::current_exception());
    }
    if (!value) refuse(member.begin, problem.empty() ? "its value cannot be read" : problem);
    document.values.push_back({slot, std::move(value), std::make_shared<const std::string>(raw)});
  }
  return document;
}

std::string write_document(const EncodedVault& vault,
                           const std::vector<std::pair<std::string, std::string>>& ignored) {
  std::string text;
  const auto add = [&text](const std::string& name, const std::string& value) {
    text += text.empty() ? "{\n  " : ",\n  ";
    text += nlohmann::json(name).dump() + ": " + value;
  };
  for (const auto& [name, value] : vault.values) add(name, *value);
  for (const auto& [name, value] : ignored) add(name, value);
  return text.empty() ? "{}\n" : text + "\n}\n";
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Builds the value from the events of nlohmann-json's parser.
#include "vault_json/parse.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace tg::inline v0::detail {

namespace {

using nlohmann::json;

class Builder final : public nlohmann::json_sax<json> {
 public:
  explicit Builder(json& root) : root_(root) {}

  bool null() override { return add(nullptr), true; }
  bool boolean(bool value) override { return add(value), true; }
  bool number_integer(number_integer_t value) override { return add(value), true; }
  bool number_unsigned(number_unsigned_t value) override { return add(value), true; }
  bool number_float(number_float_t value, const string_t&) override { return add(value), true; }
  bool string(string_t& value) override { return add(std::move(value)), true; }
  bool binary(binary_t&) override { return false; }  // text has none
  bool start_object(std::size_t) override { return open(json::object()); }
  bool key(string_t& name) override { return member_ = &(*levels_.back())[name], true; }
  bool end_object() override { return levels_.pop_back(), true; }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return levels_.pop_back(), true; }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    if (const auto* broken = dynamic_cast<const json::parse_error*>(&error)) throw *broken;
    throw dynamic_cast<const json::out_of_range&>(error);  // the only other one
  }

 private:
  json& add(json value) {
    json& place = levels_.empty() ? root_ : levels_.back()->is_object() ? *member_ : in_list();
    place = std::move(value);
    return place;
  }
  json& in_list() { return levels_.back()->emplace_back(nullptr); }
  bool open(json container) {
    levels_.push_back(&add(std::move(container)));
    return true;
  }

  json& root_;
  std::vector<json*> levels_;  // the lists and objects that are open
  json* member_ = nullptr;     // of the innermost object
};

}  // namespace

void parse_json(std::string_view text, json& root) {
  Builder builder(root);
  static_cast<void>(json::sax_parse(text, &builder));
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Reads the text of `metrics_text` as strictly as the formats permit.
#pragma once

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <threadgroup/metrics.hpp>

#include "base/escaped.hpp"

namespace tg::test {

/// The samples of a text. The constructor throws if anything in the text is not as the format demands, or that is allowed
/// but that the library does not do.
class ParsedMetrics {
 public:
  explicit ParsedMetrics(const std::string& text, MetricsFormat format = MetricsFormat::prometheus)
      : open_metrics_(format == MetricsFormat::open_metrics) {
    check(detail::mended(text) == text, "it is not UTF-8, or has zeros");
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      check(end != std::string_view::npos, "the last line has no end");
      line_ = rest.substr(0, end);
      rest.remove_prefix(end + 1);
      check(!has_ended_, "there is something behind the end");
      if (line_ == "# EOF") {
        check(open_metrics_, "an end in the format of Prometheus");
        has_ended_ = true;
      } else if (line_.starts_with('#')) {
        read_comment();
      } else {
        read_sample();
      }
    }
    check(has_ended_ == open_metrics_, "there is no end");
  }

  /// The value of a series: `name`, with all labels in the order in which they are written: `group="MainThread/a"`.
  double at(const std::string& name, const std::string& labels = "") const {
    const auto found = samples_.find({name, labels});
    if (found == samples_.end()) throw std::runtime_error("there is no " + name + "{" + labels + "}");
    return found->second;
  }
  bool has(const std::string& name, const std::string& labels = "") const {
    return samples_.count({name, labels}) != 0;
  }
  /// The tasks of one path, by how they ended.
  double tasks(const std::string& path, const std::string& outcome) const {
    return at("threadgroup_tasks_total", "group=\"" + path + "\",outcome=\"" + outcome + "\"");
  }
  double gauge(const std::string& name, const std::string& path) const {
    return at("threadgroup_" + name, "group=\"" + path + "\"");
  }
  /// How many series of this name there are.
  std::size_t count(const std::string& name) const {
    std::size_t found = 0;
    for (const auto& [series, value] : samples_) found += series.first == name ? 1 : 0;
    return found;
  }
  /// "counter", "gauge" or "summary".
  const std::string& type(const std::string& family) const { return types_.at(family); }
  /// The samples that must not fall: of counters and summaries.
  const std::map<std::pair<std::string, std::string>, double>& growing() const { return growing_; }

 private:
  void check(bool good, const char* what) const {
    if (!good) throw std::runtime_error(std::string(what) + ": " + std::string(line_));
  }

  // "# HELP name text", then "# TYPE name type", then perhaps "# UNIT name unit"; each family once.
  void read_comment() {
    std::string_view rest = line_;
    check(rest.starts_with("# "), "a comment");
    rest.remove_prefix(2);
    const std::string word = take_word(rest);
    const std::string name = take_word(rest);
    check(is_name(name, true), "the name of a family");
    const std::string text(rest);
    if (word == "HELP") {
      check(next_ != Next::type, "a family without a type");
      check(!text.empty() && text.find('\\') == std::string::npos && text.ends_with('.'), "the help");
      check(types_.count(name) == 0, "a family that comes twice");
      family_ = name;
      next_ = Next::type;
    } else if (word == "TYPE") {
      check(next_ == Next::type && name == family_, "a type without help");
      check(text == "counter" || text == "gauge" || text == "summary", "the type");
      const bool has_total = name.ends_with("_total");
      check(has_total == (text == "counter" && !open_metrics_), "the name of a counter");
      types_[name] = text;
      next_ = Next::sample;
    } else {
      check(word == "UNIT" && open_metrics_ && next_ == Next::sample && name == family_,
            "an unknown comment");
      check(name.ends_with("_" + text), "a unit that the name does not have");
    }
  }

  void read_sample() {
    std::string_view rest = line_;
    std::size_t end = rest.find_first_of("{ ");
    check(end != std::string_view::npos, "a sample without a value");
    const std::string name(rest.substr(0, end));
    rest.remove_prefix(end);
    check(is_name(name, true) && next_ == Next::sample && is_of_family(name),
          "a sample of no family, or elsewhere");
    std::string labels;
    if (rest.front() == '{') labels = take_labels(rest);
    check(rest.starts_with(' '), "no space before the value");
    rest.remove_prefix(1);
    double value = 0;
    const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    check(read.ec == std::errc() && read.ptr == rest.data() + rest.size() && value >= 0, "the value");
    check(samples_.emplace(std::pair(name, labels), value).second, "a series that comes twice");
    if (types_[family_] != "gauge") growing_.emplace(std::pair(name, labels), value);
  }

  bool is_of_family(const std::string& name) const {
    const std::string& type = types_.at(family_);
    if (type == "summary") return name == family_ + "_sum" || name == family_ + "_count";
    return name == family_ + (type == "counter" && open_metrics_ ? "_total" : "");
  }

  std::string take_labels(std::string_view& rest) {
    const std::string_view all = rest;
    std::set<std::string> names;
    do {
      rest.remove_prefix(1);  // the brace or a comma
      const std::size_t end = rest.find("=\"");
      check(end != std::string_view::npos, "a label without a value");
      const std::string name(rest.substr(0, end));
      check(is_name(name, false) && names.insert(name).second, "the name of a label");
      rest.remove_prefix(end + 2);
      for (; !rest.starts_with('"'); rest.remove_prefix(1)) {
        check(!rest.empty(), "a label without an end");
        if (rest.front() != '\\') continue;
        rest.remove_prefix(1);
        check(!rest.empty() && std::string_view("\\\"n").find(rest.front()) != std::string_view::npos,
              "an escape");
      }
      rest.remove_prefix(1);
    } while (rest.starts_with(','));
    check(rest.starts_with('}'), "labels without an end");
    rest.remove_prefix(1);
    return std::string(all.substr(1, all.size() - rest.size() - 2));
  }

  static std::string take_word(std::string_view& rest) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    std::string word(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return word;
  }
  static bool is_name(const std::string& name, bool colons) {
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) return false;
    for (const char c : name) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && !(colons && c == ':')) return false;
    }
    return true;
  }

  enum class Next { help, type, sample };
  const bool open_metrics_;
  std::string_view line_;
  std::string family_;
  Next next_ = Next::help;
  bool has_ended_ = false;
  std::map<std::string, std::string> types_;
  std::map<std::pair<std::string, std::string>, double> samples_;
  std::map<std::pair<std::string, std::string>, double> growing_;
};

}  // namespace tg::test

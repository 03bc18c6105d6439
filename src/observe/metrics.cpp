// SPDX-License-Identifier: Apache-2.0
// The measures of the forest in the formats of monitoring systems.
#include <threadgroup/metrics.hpp>

#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <threadgroup/snapshot.hpp>

#include "tree/forest.hpp"
#include "tree/path_counts.hpp"

namespace tg {
inline namespace v0 {

namespace {

using detail::ForestMeasures;
using detail::PathMeasures;

double in_seconds(std::uint64_t nanos) { return static_cast<double>(nanos) / 1e9; }

// A label. Both formats escape the same three characters.
std::string label(std::string_view name, std::string_view value) {
  std::string text(name);
  text += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"' || c == '\n') text += '\\';
    text += c == '\n' ? 'n' : c;
  }
  return text += '"';
}

// Writes families of samples, one after the other.
class Writer {
 public:
  explicit Writer(MetricsFormat format) : open_metrics_(format == MetricsFormat::open_metrics) {}

  // Only OpenMetrics leaves the "_total" of a counter out of the name of its family.
  void begin(const char* name, const char* type, const char* help) {
    const bool is_counter = std::string_view(type) == "counter";
    family_ = name;
    sample_ = is_counter ? family_ + "_total" : family_;
    const std::string& shown = open_metrics_ ? family_ : sample_;
    append("# HELP {} {}\n# TYPE {} {}\n", shown, help, shown, type);
    if (open_metrics_ && family_.ends_with("_seconds")) append("# UNIT {} seconds\n", family_);
  }
  template <class Value>
  void sample(Value value) {
    append("{} {}\n", sample_, value);
  }
  template <class Value>
  void sample(const std::string& labels, Value value, const char* suffix = "") {
    append("{}{}{{{}}} {}\n", sample_, suffix, labels, value);
  }
  std::string end() {
    if (open_metrics_) text_ += "# EOF\n";
    return std::move(text_);
  }

 private:
  template <class... Values>
  void append(fmt::format_string<const Values&...> format, const Values&... values) {
    fmt::format_to(std::back_inserter(text_), format, values...);
  }

  const bool open_metrics_;
  std::string family_;
  std::string sample_;
  std::string text_;
};

struct Gauge {
  const char* name;
  const char* help;
  double (*value)(const PathMeasures&);
};

template <auto member>
double number(const PathMeasures& path) {
  return static_cast<double>(path.*member);
}

constexpr Gauge kGauges[] = {
    {"threadgroup_tasks_pending", "Tasks that have not started.", number<&PathMeasures::pending>},
    {"threadgroup_tasks_running", "Tasks that run.", number<&PathMeasures::running>},
    {"threadgroup_oldest_running_task_seconds", "For how long the oldest running task has run.",
     [](const PathMeasures& path) {
       return in_seconds(static_cast<std::uint64_t>(path.oldest_task.nanos()));
     }},
    {"threadgroup_adders_waiting", "Calls that wait for room to add a task (max_pending).",
     number<&PathMeasures::waiting_adders>},
    {"threadgroup_threads", "Threads that serve the groups.", number<&PathMeasures::threads>},
    {"threadgroup_threads_wanted",
     "Threads that the groups need; more than threadgroup_threads while the system refuses to start threads.",
     number<&PathMeasures::threads_wanted>},
    {"threadgroup_threads_limit", "The most threads that the groups may have (max_concurrent_threads).",
     number<&PathMeasures::most_threads>},
    {"threadgroup_groups", "Groups that exist and have been given a task.", number<&PathMeasures::groups>},
    {"threadgroup_groups_stopped", "Of these, groups whose event is set.",
     number<&PathMeasures::stopped_groups>},
};

void write_forest(Writer& out, const ForestMeasures& all) {
  std::vector<std::string> groups;  // the label of each path
  groups.reserve(all.paths.size());
  for (const PathMeasures& path : all.paths) groups.push_back(label("group", path.path));

  out.begin("threadgroup_tasks", "counter", "Tasks that have ended, by how they ended.");
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto outcome = [&](const char* name, std::uint64_t tasks) {
      out.sample(groups[i] + ',' + label("outcome", name), tasks);
    };
    outcome("succeeded", all.paths[i].ended.succeeded);
    outcome("failed", all.paths[i].ended.failed);
    outcome("stopped", all.paths[i].ended.stopped);
    outcome("skipped", all.paths[i].ended.skipped);
  }
  for (const Gauge& gauge : kGauges) {
    out.begin(gauge.name, "gauge", gauge.help);
    for (std::size_t i = 0; i < groups.size(); ++i) out.sample(groups[i], gauge.value(all.paths[i]));
  }
  out.begin(
      "threadgroup_stop_latency_seconds", "summary",
      "Groups that were stopped while tasks ran, and the time until the last of these tasks had ended.");
  for (std::size_t i = 0; i < groups.size(); ++i) {
    out.sample(groups[i], in_seconds(all.paths[i].ended.stop_nanos), "_sum");
    out.sample(groups[i], all.paths[i].ended.stops, "_count");
  }

  out.begin("threadgroup_nodes", "gauge", "Groups, scopes and calls that exist, by their kinds.");
  for (const NodeKind kind :
       {NodeKind::group, NodeKind::daemon, NodeKind::scope, NodeKind::shield, NodeKind::call})
    out.sample(label("kind", to_string(kind)), all.nodes[static_cast<std::size_t>(kind)]);
  out.begin("threadgroup_abandoned_calls", "gauge",
            "Calls of abandonable that still run although their callers have gone on.");
  out.sample(all.abandoned_calls);
}

}  // namespace

const char* content_type(MetricsFormat format) noexcept {
  return format == MetricsFormat::open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                               : "text/plain; version=0.0.4; charset=utf-8";
}

std::string metrics_text(MetricsOptions options) {
  Writer out(options.format);
  write_forest(out, detail::Forest::instance().measure(options.max_paths));
  return out.end();
}

}  // namespace v0
}  // namespace tg

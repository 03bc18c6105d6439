// SPDX-License-Identifier: Apache-2.0
// The counts of all groups as text for Prometheus and other monitoring systems.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <threadgroup/detail/export.hpp>

namespace tg {
inline namespace v0 {

/// The format of `metrics_text`.
enum class MetricsFormat : std::uint8_t {
  prometheus,    ///< the text format of Prometheus, version 0.0.4
  open_metrics,  ///< OpenMetrics 1.0
};

/// The content type with which a server answers a request for this format.
TG_EXPORT const char* content_type(MetricsFormat format) noexcept;

/// Options of `metrics_text`.
struct MetricsOptions {
  MetricsFormat format = MetricsFormat::prometheus;  ///< how the text is written
  /// How many paths of groups have series of their own, in the order in which they were first seen; at most 65,534. The
  /// others are summed up as the group "(other)".
  std::size_t max_paths = 100;
};

/// What the groups of the process do, and how their tasks have ended, for a monitoring system to collect at intervals.
/// docs/metrics.md lists the series.
///
///     server.Get("/metrics", [](const httplib::Request&, httplib::Response& response) {
///       response.set_content(tg::metrics_text(), content_type(tg::MetricsFormat::prometheus));
///     });
///
/// The label `group` is the path of names, "MainThread/Fetch"; groups with the same path are summed up. In it, scopes are
/// left out, a group without a name is "ThreadGroup", and a thread that the library did not start is "OtherThreads".
/// Throws `std::bad_alloc`.
///
/// Guarantees: from one call to the next no counter falls, also when groups are destroyed. The first call in a process
/// begins to keep the counts of groups that are destroyed; groups that were destroyed before it are not counted. A path that
/// has series of its own keeps them. The text is valid UTF-8, whatever the names are.
/// Thread safety: from any thread. No user code runs meanwhile.
/// Lifetime: a forked child begins anew, without the counts of its parent.
TG_EXPORT std::string metrics_text(MetricsOptions options = {});

}  // namespace v0
}  // namespace tg

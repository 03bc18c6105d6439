// SPDX-License-Identifier: Apache-2.0
// Asking the thread cache, and the report of a shortage.
#include "pool/thread_supply.hpp"

#include <cstdint>
#include <string>
#include <system_error>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/reason.hpp>

#include "base/report.hpp"
#include "runtime/simulator.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::detail {

namespace {
constexpr Duration kBetweenReports = Duration::from_nanos(60'000'000'000);
}  // namespace

void ThreadSupply::report(const Node& node) const noexcept try {
  if constexpr (runtime::kIsSimulated) return;  // the pause between reports outlives a schedule
  const runtime::ThreadCache::Refusal refused = refusal();
  if (refused.threads == 0) return;
  const GroupStatistics counts = node.statistics();
  if (counts.threads_wanted <= counts.threads) return;
  static constinit Atomic<std::int64_t> next_report{0};  // atomic: the first to come reports
  const TimePoint now = runtime::now();
  std::int64_t at = next_report.load(std::memory_order_relaxed);
  if (now.nanos() < at ||
      !next_report.compare_exchange_strong(at, (now + kBetweenReports).nanos(), std::memory_order_relaxed))
    return;
  report_line({"group '", node.name(), "' wants ", std::to_string(counts.threads_wanted), " threads and has ",
               std::to_string(counts.threads),
               "; it continues with these and keeps asking for more: cannot create a thread: ",
               std::generic_category().message(refused.error)});
} catch (const std::exception&) {
  // No memory for the text. The statistics have the numbers.
}

}  // namespace tg::inline v0::detail

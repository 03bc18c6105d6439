// SPDX-License-Identifier: Apache-2.0
// Asking the thread cache, and the report of a shortage.
#include "pool/thread_supply.hpp"

#include <string>
#include <system_error>

#include <threadgroup/reason.hpp>

#include "base/report.hpp"
#include "runtime/shortage.hpp"

namespace tg::inline v0::detail {

void ThreadSupply::report(const Node& node) const noexcept try {
  const runtime::ThreadCache::Refusal refused = refusal();
  if (refused.threads == 0) return;
  const GroupStatistics counts = node.statistics();
  if (counts.threads_wanted <= counts.threads) return;
  static constinit runtime::ReportPause reports;
  if (!reports.may_report()) return;
  report_line({"group '", node.name(), "' wants ", std::to_string(counts.threads_wanted), " threads and has ",
               std::to_string(counts.threads),
               "; it continues with these and keeps asking for more: cannot create a thread: ",
               std::generic_category().message(refused.error)});
} catch (const std::exception&) {
  // No memory for the text. The statistics have the numbers.
}

}  // namespace tg::inline v0::detail

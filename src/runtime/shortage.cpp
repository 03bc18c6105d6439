// SPDX-License-Identifier: Apache-2.0
// The pauses between two attempts, and the text of the report.
#include "runtime/shortage.hpp"

#include <algorithm>
#include <new>
#include <string>
#include <system_error>

#include "base/report.hpp"
#include "runtime/engine.hpp"

namespace tg::inline v0::runtime {

namespace {
constexpr Duration kLongestPause = Duration::from_nanos(1'000'000'000);
constexpr Duration kBetweenReports = Duration::from_nanos(60'000'000'000);
}  // namespace

void Shortage::back_off() noexcept {
  ask_at_ = runtime::after(pause_);
  pause_ = std::min(Duration::from_nanos(2 * pause_.nanos()), kLongestPause);
}

bool Askers::begin() noexcept {
  if (count_.fetch_add(1, std::memory_order_relaxed) < kMost) return true;
  // The others may all have left meanwhile, and the last of them has seen this one: then it is the only one.
  return end() && begin();
}

bool ReportPause::may_report() noexcept {
  // The time of the last report outlives a schedule; and in a simulation the trace has each refusal.
  if (kIsExplored || Engine::of_caller() != nullptr) return false;
  const TimePoint time = now();
  std::int64_t next = next_.load(std::memory_order_relaxed);
  return time.nanos() >= next &&
         next_.compare_exchange_strong(next, (time + kBetweenReports).nanos(), std::memory_order_relaxed);
}

void report_shortage(std::size_t threads, std::size_t wanted, int error) noexcept try {
  tg::detail::report_line({"there are ", std::to_string(threads), " threads and groups wait for ",
                           std::to_string(wanted),
                           " more; they continue with these and keep asking: cannot create a thread: ",
                           std::generic_category().message(error)});
} catch (const std::bad_alloc&) {  // the statistics of the groups have the numbers
}

}  // namespace tg::inline v0::runtime

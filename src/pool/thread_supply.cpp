// SPDX-License-Identifier: Apache-2.0
// Asking the thread cache, and the report of a shortage.
#include "pool/thread_supply.hpp"

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/reason.hpp>

#include "base/report.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::detail {

namespace {
constexpr Duration kBetweenReports = Duration::from_nanos(60'000'000'000);

int number_of(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& refused) {
    return refused.code().value();
  } catch (...) {  // no memory
    return ENOMEM;
  }
}
}  // namespace

ThreadSupply::Brought ThreadSupply::bring(std::exception_ptr& error) noexcept {
  try {
    return runtime::ThreadCache::instance().start(worker_) ? Brought::made : Brought::woken;
  } catch (...) {
    error = std::current_exception();
    return Brought::refused;
  }
}

int ThreadSupply::error_locked() const noexcept { return has_request_ ? error_ : 0; }

void ThreadSupply::request_locked(const std::exception_ptr& error) noexcept {
  has_request_ = true;
  error_ = number_of(error);
  runtime::ThreadCache::instance().start_when_possible(request_);
}

bool ThreadSupply::withdraw_locked() noexcept {
  if (!has_request_ || !runtime::ThreadCache::instance().withdraw(request_)) return false;
  has_request_ = false;
  return true;
}

void ThreadSupply::report(const Node& node, const GroupStatistics& counts,
                          const std::exception_ptr& error) const noexcept try {
  if (!runtime::ThreadCache::instance().waits(request_)) return;
  static constinit Atomic<std::int64_t> next_report{0};  // atomic: the first to come reports
  const TimePoint now = runtime::now();
  std::int64_t at = next_report.load(std::memory_order_relaxed);
  if (now.nanos() < at ||
      !next_report.compare_exchange_strong(at, (now + kBetweenReports).nanos(), std::memory_order_relaxed))
    return;
  report_line({"group '", node.name(), "' wants ", std::to_string(counts.threads_wanted), " threads and has ",
               std::to_string(counts.threads),
               "; it continues with these and keeps asking for more: ", describe_exception(error)});
} catch (const std::exception&) {
  // No memory for the text. The statistics have the numbers.
}

}  // namespace tg::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Counting, estimating, and the line on the terminal.
#include <threadgroup/progress.hpp>

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include <threadgroup/errors.hpp>
#include <threadgroup/source_location.hpp>
#include <threadgroup/thread_utils.hpp>

#include "base/report.hpp"
#include "runtime/steady_clock.hpp"

namespace tg {
inline namespace v0 {

namespace {
double in_seconds(Duration d) { return static_cast<double>(d.nanos()) / 1e9; }

std::string words(Duration d) {
  const double s = in_seconds(d);
  if (s < 120) return fmt::format("{:.0f} s", s);
  if (s < 7200) return fmt::format("{:.0f} min", s / 60);
  return fmt::format("{:.0f} h", s / 3600);
}
}  // namespace

Progress progress_between(const GroupStatistics& before, const GroupStatistics& now, Duration elapsed,
                          std::uint64_t expected) {
  Progress progress;
  progress.done = now.done() - before.done();
  progress.failed = now.failed - before.failed;
  progress.stopped = now.stopped - before.stopped;
  progress.skipped = now.skipped - before.skipped;
  progress.total = std::max(now.total() - before.done(), expected);
  progress.elapsed = elapsed;
  if (progress.done == 0 || elapsed <= Duration()) return progress;
  progress.rate = static_cast<double>(progress.done) / in_seconds(elapsed);
  progress.time_left =
      std::chrono::duration<double>(static_cast<double>(progress.total - progress.done) / progress.rate);
  return progress;
}

std::string Progress::str() const {
  std::string text = fmt::format("{}/{} done", done, total);
  if (total > 0) text += fmt::format(" ({}%)", 100 * done / total);
  if (failed > 0) text += fmt::format(", {} failed", failed);
  if (stopped > 0) text += fmt::format(", {} stopped", stopped);
  if (skipped > 0) text += fmt::format(", {} skipped", skipped);
  if (rate > 0) text += fmt::format(", {:.1f}/s", rate);
  if (done < total && time_left) text += ", " + words(*time_left) + " left";
  return text;
}

std::string Progress::bar(std::size_t width) const {
  const std::size_t full = total > 0 ? std::min<std::uint64_t>(width, width * done / total) : 0;
  return fmt::format("[{}{}] {}", std::string(full, '#'), std::string(width - full, '-'), str());
}

ProgressReporter::ProgressReporter(const ThreadGroup& group, ProgressObserver observer,
                                   ProgressOptions options)
    : group_(group),
      observer_(std::move(observer)),
      options_(options),
      before_(group.statistics()),
      start_(runtime::now()),
      // A daemon: it keeps reporting while the observed group is being stopped together with all others.
      reporter_("progress of " + group.name(), {.max_concurrent_threads = 1, .daemon = true}) {
  if (options.interval <= Duration()) {
    throw std::invalid_argument("ProgressReporter on group '" + group.name() +
                                "': the interval must be above zero");
  }
  reporter_.post(
      [this] {
        while (thread_utils::event_aware_sleep(options_.interval)) observer_(look());
      },
      SourceLocation{});
}

ProgressReporter::~ProgressReporter() {
  std::vector<Failure> failures;
  std::exception_ptr of_last_call;
  try {
    reporter_.set_event("the reporter's object was destroyed");
    failures = reporter_.wait_idle().failures;
    if (failures.empty()) observer_(look());
  } catch (const ForkedError&) {  // a forked child: the parent has the reporter's thread, and reports the end
    return;
  } catch (...) {
    of_last_call = std::current_exception();
  }
  try {
    if (of_last_call) failures.push_back({"(the last call)", of_last_call});
    detail::report_unseen(reporter_.path(), failures);
  } catch (const std::bad_alloc&) {
    detail::report_line({"out of memory at the end of '", reporter_.name(), "'"});
  }
}

Progress ProgressReporter::look() const {
  return progress_between(before_, group_.statistics(), runtime::now() - start_, options_.expected);
}

ProgressObserver progress_line(std::FILE* out) {
  // The last state ends the line; only the destructor of the observer knows that it was the last.
  struct Line {
    explicit Line(std::FILE* to) : out(to), terminal(isatty(fileno(to)) != 0) {}
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line() {
      if (!last.empty()) std::fputs(terminal ? "\n" : (last + "\n").c_str(), out);
      std::fflush(out);
    }
    std::FILE* out;
    bool terminal;
    std::string last;
  };
  return [line = std::make_shared<Line>(out)](const Progress& progress) {
    line->last = progress.bar();
    if (!line->terminal) return;
    std::fputs(("\r" + line->last + "\x1b[K").c_str(), line->out);
    std::fflush(line->out);
  };
}

}  // namespace v0
}  // namespace tg

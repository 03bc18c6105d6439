// SPDX-License-Identifier: Apache-2.0
// When the next tick is due.
#include <threadgroup/every.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>

#include <threadgroup/outcomes.hpp>

#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/steady_clock.hpp"

namespace tg {
inline namespace v0 {

Ticks::Ticks(Duration interval) : interval_(interval) {
  if (interval <= Duration()) {
    throw std::invalid_argument("tg::every: the interval is " + to_string(interval) +
                                "; it must be longer than zero");
  }
  next_ = runtime::now() + interval;
}

std::optional<TimePoint> Ticks::next() {
  const detail::WaitNote note("the next tick (tg::every)");
  if (detail::wait({detail::event_of_caller(), nullptr}, next_) == WaitOutcome::event_set)
    return std::nullopt;
  const TimePoint tick = next_;
  const std::int64_t missed = (runtime::now() - tick).nanos() / interval_.nanos();
  next_ = tick + Duration::from_nanos(missed * interval_.nanos()) + interval_;
  return tick;
}

}  // namespace v0
}  // namespace tg

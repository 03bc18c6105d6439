// SPDX-License-Identifier: Apache-2.0
// All schedules that differ little from the simplest one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include <threadgroup/detail/config.hpp>

#include "sim/chooser.hpp"

namespace tg::inline v0::sim {

/// Enumerates paths in the order of their lengths: the simplest schedule, then all with one deviation from
/// it, then all with two, and so on: M. Emmi, S. Qadeer and Z. Rakamaric, "Delay-Bounded Scheduling" (2011).
///
///     while (const auto plan = search.next()) { run(*plan); search.branch(*plan, options); }
class Search {
 public:
  /// At most `most` paths in total.
  explicit Search(std::size_t most) noexcept : left_(most) { waiting_.emplace_back(); }

  /// The next path; none if the search is over.
  std::optional<Plan> next();
  /// The plan was run, and had these numbers of options to choose from, one for each choice.
  void branch(const Plan& plan, std::span<const std::uint32_t> options);
  /// Whether all paths were run.
  bool is_exhausted() const noexcept { return waiting_.empty() && left_out_ == 0; }
  /// Up to how many deviations all schedules were run.
  std::size_t complete() const noexcept;

 private:
  std::deque<Plan::Path> waiting_;
  std::size_t left_;
  std::size_t last_ = 0;      // deviations of the last path
  std::size_t left_out_ = 0;  // deviations of the first path that was left out; 0: none was
};

}  // namespace tg::inline v0::sim

// SPDX-License-Identifier: Apache-2.0
// Reports on stderr, in explorations.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "base/report.hpp"

namespace tg::test {

/// Within a body: while it lives, the function gets the reports of the library, and stderr does not.
class Reports {
 public:
  explicit Reports(std::function<void(std::string_view)> take) : take_(std::move(take)) {
    current_ = this;
    detail::report_taker = [](std::string_view lines) noexcept {
      current_->take_(lines);
      return true;
    };
  }
  ~Reports() { detail::report_taker = before_; }
  Reports(const Reports&) = delete;
  Reports& operator=(const Reports&) = delete;

 private:
  static inline const Reports* current_ = nullptr;
  const detail::ReportTaker before_ = detail::report_taker;
  const std::function<void(std::string_view)> take_;
};

}  // namespace tg::test

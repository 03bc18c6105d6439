// SPDX-License-Identifier: Apache-2.0
// The exception that a task threw.
#pragma once

#include <exception>
#include <string>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::detail {

/// The current exception, for a handler that catches everything that a task throws.
///
/// `pthread_exit` and `pthread_cancel` unwind a thread as an exception does, but cannot be stored like one.
/// A thread that exits during a task would leave the task without a result and its slot occupied. In that
/// case this function names the task on stderr and calls `std::abort`.
TG_EXPORT std::exception_ptr current_failure() noexcept;

/// `describe_exception` that does not throw: "out of memory" if the text cannot be allocated.
TG_EXPORT std::string describe_if_possible(const std::exception_ptr& exception) noexcept;

}  // namespace tg::inline v0::detail

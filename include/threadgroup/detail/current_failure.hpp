// SPDX-License-Identifier: Apache-2.0
// What a task threw.
#pragma once

#include <exception>
#include <string>

namespace tg::detail {

/// The current exception, for a handler that catches everything that a task throws.
///
/// `pthread_exit` and `pthread_cancel` unwind a thread as an exception does, but cannot be stored like one;
/// and a thread that exits in the middle of a task would leave the task without a result and its place
/// occupied. So in that case this function names the task on stderr and calls `std::abort`.
std::exception_ptr current_failure() noexcept;

/// `describe_exception` where nothing may be thrown: "out of memory" if there is none for the text.
std::string describe_if_possible(const std::exception_ptr& exception) noexcept;

}  // namespace tg::detail

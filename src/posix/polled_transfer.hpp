// SPDX-License-Identifier: Apache-2.0
// Calls that move bytes, by polling.
#pragma once

#include "posix/polled_wait.hpp"

namespace tg::inline v0::detail::polled {

/// `read readv write writev`, by their numbers and arguments.
long read_or_write(const Poll& poll, long number, const Arguments& arguments);
/// `recvfrom recvmsg`.
long receive_from(const Poll& poll, long number, const Arguments& arguments);
/// `sendto sendmsg`.
long send_to(const Poll& poll, long number, const Arguments& arguments);

}  // namespace tg::inline v0::detail::polled

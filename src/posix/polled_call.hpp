// SPDX-License-Identifier: Apache-2.0
// System calls that a stop ends without a signal, by polling: for processors for which the library has no assembly.
#pragma once

#include <array>

#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// Makes the call of this number with these arguments once its descriptor is ready. A call that waits for descriptors or
/// for a time waits for the event of the node, too. Any other call is the plain one. Returns a negative error number,
/// which is `-ECANCELED` if the event was set, or the result.
///
///     const long got = polled_call(innermost_node(flow), SYS_read, {fd, to_argument(buffer), 64});
///
/// A call that could block although its descriptor was ready, because another reader was faster, is made without
/// blocking, and waits again. After a handler of the program each wait ends with `-EINTR`.
/// Without a node it is the plain call.
/// Throws `std::system_error` or `std::bad_alloc` if the event has no descriptor yet and cannot get one.
/// Thread safety: from any thread.
long polled_call(Node* node, long number, const std::array<long, 6>& arguments);

}  // namespace tg::inline v0::detail

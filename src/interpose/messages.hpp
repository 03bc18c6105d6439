// SPDX-License-Identifier: Apache-2.0
// Queues of messages, and semaphores.
#pragma once

namespace tg::inline v0::interpose {

/// Finds what the functions of `messages.cpp` replace.
void find_functions_of_messages() noexcept;

}  // namespace tg::inline v0::interpose

// SPDX-License-Identifier: Apache-2.0
// Making the parts, and the counts that come from several of them.
#include "pool/parts.hpp"

#include <algorithm>

#include "pool/worker.hpp"

namespace tg::inline v0::detail {

PoolParts::PoolParts(Node& node_of_group, std::size_t bound, OnFailure on_failure,
                     std::optional<std::size_t> max_pending)
    : node(node_of_group),
      failure_stop(node, on_failure),
      room(max_pending ? std::make_unique<Room>(*max_pending) : nullptr),
      slots(bound),
      supply({&Worker::main, this}),
      queue(node) {}

GroupStatistics PoolParts::count_locked() const noexcept {
  GroupStatistics counts = queue.count_locked();
  if (room != nullptr) counts.waiting_adders = room->waiting();
  runtime::ThreadCache::Refusal refused;  // of the workers that are counted, these have no thread yet
  if (slots.on_their_way() != 0) refused = supply.refusal();
  counts.thread_error = refused.error;
  counts.threads = slots.workers() - refused.threads;
  counts.threads_wanted = counts.threads;
  if (refused.threads != 0) {
    counts.threads_wanted += std::min<std::size_t>(counts.pending, slots.free() + refused.threads);
  }
  return counts;
}

}  // namespace tg::inline v0::detail

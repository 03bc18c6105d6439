// SPDX-License-Identifier: Apache-2.0
// How a flow links the group that it made last without the forest's lock. README.md explains the protocol.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include <threadgroup/detail/atomic.hpp>

#include "base/cache_line.hpp"
#include "runtime/engine.hpp"
#include "runtime/flow.hpp"
#include "tree/node.hpp"
#include "tree/node_cores.hpp"

namespace tg::inline v0::detail {

/// A flow's link to its fresh group: the one that it made last, if no other flow has had to see it yet.
///
/// A group that one flow makes and soon destroys, while no other flow looks, costs no lock. To use the link a
/// flow needs a *grant* by the forest, for one parent; each flow that is about to look below that parent
/// revokes it first. F1 to F4 in README.md say how.
///
/// Lifetime: made when a flow destroys a group for the first time; like the flow itself, it is never freed.
struct alignas(kCacheLine) FreshLink {
  // Written by the flow (by another one only where F4 says so); read by others under the forest's lock, after
  // they have revoked the grant. Null: none.
  Atomic<Node*> node{nullptr};
  // Written under the forest's lock, read by the flow without it. Null: no grant.
  Atomic<Node*> parent{nullptr};

  // Used by the flow alone.
  const Node* inside = nullptr;  // the grant is for flows in this node, or (null) for the thread's root
  NodeCores::Spares spares;
  std::array<Node*, 4> unused{};  // the group layer's: groups that ended without a task, to be reused
  std::uint32_t unused_count = 0;
  std::uint64_t next_id = 0;  // numbers for its groups, up to the end of the range that it has reserved
  std::uint64_t end_of_ids = 0;
  const Node* last_made = nullptr;  // only to compare
  bool was_granted = false;
  // How often in a row it destroyed the group that it had made last, and how often is enough for a grant.
  std::uint32_t short_lives = 0;
  std::uint32_t enough = kEnough;
  std::uint64_t first_id_of_grant = 0;
  std::uint64_t uses = 0;  // of all grants since one was revoked

  // Sixteen groups save about as much as the heavy fence costs that revokes the grant.
  static constexpr std::uint32_t kEnough = runtime::kIsExplored ? 2 : 16;
  static constexpr std::uint32_t kMostEnough = 4096;  // so that no flow is without a grant forever
  static constexpr std::uint64_t kIdsInARow = 256;    // so that few groups take the lock only for a number

#if defined(TG_SIMULATION)
  FreshLink() = default;
  ~FreshLink() {  // between two schedules
    for (std::uint32_t i = 0; i < unused_count; ++i) unused[i]->release();
  }
#endif

  static FreshLink* of_caller() noexcept {
    runtime::Flow* const flow = runtime::Flow::current_if_any();
    return flow != nullptr ? flow->fresh_link : nullptr;
  }

  bool has_room() const noexcept { return unused_count < unused.size(); }
  bool has_ids() const noexcept { return next_id != end_of_ids; }
  bool may_ask_for_grant() const noexcept { return short_lives >= enough; }
  // The flow ends the grant. If the grant was in the way (the flow made a second group, or one for another
  // parent) and was used little, the next one must be earned again.
  void give_up_grant(bool was_in_the_way) noexcept {
    const std::uint64_t used = end_grant();
    if (was_in_the_way && used < enough) short_lives = 0;
  }
  // The flow has noticed that the grant was revoked. After few uses the next one must be earned by more.
  void lose_grant() noexcept {
    end_grant();
    enough = uses >= std::uint64_t{16} * enough ? std::max(enough / 2, kEnough)
                                                : std::min(2 * enough, kMostEnough);
    short_lives = 0;
    uses = 0;
  }
  void count_end_of(const Node& ended) noexcept {
    short_lives = last_made == &ended ? std::min(short_lives + 1, enough) : 0;
  }

 private:
  std::uint64_t end_grant() noexcept {
    was_granted = false;
    const std::uint64_t used = next_id - first_id_of_grant;
    uses += used;
    return used;
  }
};

}  // namespace tg::inline v0::detail

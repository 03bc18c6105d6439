// SPDX-License-Identifier: Apache-2.0
// Mistakes that are planted into the protocols, so that the explorations prove that they would find them.
#pragma once

#include <atomic>

#include <threadgroup/detail/config.hpp>

/// Whether the mistake of this name is made: never in an ordinary build, where this is the constant `false`.
/// In a build for explorations it is a comparison, and a test switches on one mistake at a time.
///
///     if (TG_PLANTED(pool_leaves_without_second_look) || !has_pending_locked()) return false;
#if !defined(TG_SIMULATION)
#define TG_PLANTED(name) false
#define TG_ORDER(order, name, weaker) std::memory_order_##order
#else
#define TG_PLANTED(name) (::tg::detail::planted == ::tg::detail::Planted::name)
// The order of an access, which the mistake makes weaker: `TG_ORDER(release, flow_unpark_publishes_nothing, relaxed)`.
#define TG_ORDER(order, name, weaker) \
  (TG_PLANTED(name) ? std::memory_order_##weaker : std::memory_order_##order)

// Each with the invariant that it breaks.
#define TG_ALL_PLANTED(ONE)                                                                     \
  ONE(flow_park_overwrites_permit)         /* an unpark before the park is not lost */          \
  ONE(flow_unpark_wakes_no_one)            /* an unpark wakes the flow if it is parked */       \
  ONE(mutex_waiter_forgets_others)         /* after a wait, the lock is taken as contended */   \
  ONE(mutex_unlock_wakes_no_one)           /* the unlock of a contended mutex wakes a waiter */ \
  ONE(polled_mutex_trusts_its_sleep)       /* a waiter looks again */                           \
  ONE(polled_mutex_publishes_nothing)      /* what a holder wrote is seen by the next one */    \
  ONE(polled_mutex_sees_nothing)           /* the same */                                       \
  ONE(gate_waits_without_second_look)      /* a waiter looks again after its approach */        \
  ONE(gate_opens_for_one)                  /* all waiters at a gate go through */               \
  ONE(wait_does_not_approach_the_gate)     /* a waiter announces itself before it looks */      \
  ONE(wait_looks_only_before_it_links)     /* Q1 */                                             \
  ONE(wait_does_not_link_again)            /* Q1, after a release for something else */         \
  ONE(wait_does_not_watch)                 /* a waiter watches the event before it looks */     \
  ONE(wait_queue_leaves_before_released)   /* Q3 */                                             \
  ONE(wait_queue_keeps_its_epoch)          /* Q2 */                                             \
  ONE(tree_child_is_born_unset)            /* T1 */                                             \
  ONE(tree_second_setter_does_not_wait)    /* T3 */                                             \
  ONE(shield_is_marked_at_once)            /* T1 */                                             \
  ONE(shield_trusts_those_who_mark)        /* T1, a shield linked below a node that is set */   \
  ONE(on_stop_looks_only_before_it_links)  /* Q1 */                                             \
  ONE(on_stop_holds_up_the_deadlines)      /* a function may wait for a deadline */             \
  ONE(on_stop_does_not_wait)               /* after the destructor the function does not run */ \
  ONE(task_scope_forgets_an_early_stop)    /* a stop may come before the scope is there */      \
  ONE(tree_setter_has_no_heavy_fence)      /* T10, the setter */                                \
  ONE(call_does_not_watch)                 /* T10, the first call */                            \
  ONE(call_is_entered_without_fence)       /* T10, the flow */                                  \
  ONE(call_does_not_wait_for_setter)       /* T11 */                                            \
  ONE(call_leaves_its_signal_behind)       /* T11 */                                            \
  ONE(call_check_holds_no_reference)       /* T12 */                                            \
  ONE(signals_are_missed_during_the_check) /* a blocked signal is reported */                   \
  ONE(fresh_link_is_not_checked_again)     /* F3, the flow */                                   \
  ONE(fresh_unlink_is_not_checked_again)   /* F3, the flow */                                   \
  ONE(fresh_groups_are_not_revealed)       /* F2 */                                             \
  ONE(measure_looks_twice)                 /* T14 */                                            \
  ONE(drain_adder_looks_too_early)         /* T6 */                                             \
  ONE(drain_does_not_pass_the_adders)      /* T6 */                                             \
  ONE(drain_child_is_born_open)            /* T7 */                                             \
  ONE(drain_looks_once)                    /* T8 */                                             \
  ONE(drain_trusts_what_may_be_left)       /* T8, what is below a call */                       \
  ONE(graph_records_after_it_has_searched) /* G2 */                                             \
  ONE(graph_forgets_the_waits_below)       /* G3 */                                             \
  ONE(pool_leaves_without_second_look)     /* P5 */                                             \
  ONE(pool_adder_looks_too_early)          /* P5 */                                             \
  ONE(pool_starts_no_next_worker)          /* P3 */                                             \
  ONE(pool_worker_holds_no_reference)      /* P4 */                                             \
  ONE(pool_local_ones_overtake)            /* P6, L1 */                                         \
  ONE(pool_helper_leaves_tasks_behind)     /* P3 */                                             \
  ONE(pool_helper_runs_another_task)       /* P6 */                                             \
  ONE(pool_helper_trusts_that_one_comes)   /* P3 */                                             \
  ONE(pool_taker_reserves_nothing)         /* P3, C1 */                                         \
  ONE(pool_claims_what_is_taken)           /* P7 */                                             \
  ONE(pool_helper_takes_any_slot)          /* C1 */                                             \
  ONE(pool_joiner_looks_twice)             /* P1 */                                             \
  ONE(pool_withdrawn_worker_still_counts)  /* P3, S1 */                                         \
  ONE(pool_second_failure_does_not_wait)   /* a failed task has set the event */                \
  ONE(permits_newcomer_overtakes)          /* D1 */                                             \
  ONE(permits_withdrawn_promise_is_lost)   /* D2 */                                             \
  ONE(permits_wake_no_one)                 /* D1 */                                             \
  ONE(subtree_task_begins_without_permit)  /* D3 */                                             \
  ONE(subtree_outer_bound_is_forgotten)    /* D3 */                                             \
  ONE(subtree_useless_claim_stays)         /* P3: an unused promise passes on */                \
  ONE(subtree_claim_outlives_its_group)    /* D5 */                                             \
  ONE(subtree_destructor_trusts_the_stop)  /* D5 */                                             \
  ONE(room_adder_keeps_its_slot)           /* an adder of the group lends its slot */           \
  ONE(room_begun_task_keeps_its_room)      /* a task gives its room back in time */             \
  ONE(slots_worker_ignores_lender)         /* C2 */                                             \
  ONE(slots_lender_is_not_woken)           /* C2 */                                             \
  ONE(supply_makes_no_request)             /* P3, S1 */                                         \
  ONE(vault_step_is_seen_in_parts)         /* K1 */                                             \
  ONE(vault_wakes_no_waiters)              /* Q1 */                                             \
  ONE(flow_automatic_runs_beside_itself)   /* one run of an automatic at a time */              \
  ONE(flow_automatic_forgets_the_next_set) /* each complete set of inputs is taken once */      \
  ONE(cache_idle_thread_does_not_look)     /* a thread that is called does not end */           \
  ONE(cache_forgets_who_is_idle)           /* A1 */                                             \
  ONE(cache_sends_no_next_thread)          /* A1 */                                             \
  ONE(cache_withdraws_what_is_taken)       /* a request is withdrawn or has its thread */       \
  ONE(cache_needless_thread_keeps_coming)  /* A1 */                                             \
  ONE(task_wakes_before_it_ends)           /* Q1 */                                             \
  ONE(task_helper_holds_no_group)          /* its group outlives the task that it runs */       \
  ONE(task_is_watched_without_second_look) /* Q1 */                                             \
  ONE(limits_adder_does_not_wake)          /* a limit is at most a tick late */                 \
  ONE(limits_flow_holds_no_reference)      /* the node of a due limit outlives it */            \
  ONE(limiter_leaves_no_next)              /* Y1 */                                             \
  ONE(lot_validates_too_early)             /* Z3 */                                             \
  ONE(lot_serves_who_is_claimed)           /* Z2 */                                             \
  ONE(lot_stop_forgets_what_it_got)        /* Z2 */                                             \
  ONE(lot_entry_stays_linked)              /* Z1 */                                             \
  ONE(lot_waiter_leaves_before_released)   /* Z4 */                                             \
  ONE(sync_mutex_links_without_look)       /* Z6 */                                             \
  ONE(sync_mutex_forgets_others)           /* Z5 */                                             \
  ONE(sync_mutex_stopped_one_stays_woken)  /* Z7 */                                             \
  ONE(condition_waiter_unlocks_too_early)  /* no notification is lost */                        \
  ONE(condition_forgets_others)            /* the same */                                       \
  ONE(semaphore_leaver_serves_no_one)      /* Z8 */                                             \
  ONE(semaphore_forgets_others)            /* Z8 */                                             \
  ONE(semaphore_adder_serves_no_one)       /* Z9 */                                             \
  ONE(semaphore_adder_comes_late)          /* Z9 */                                             \
  ONE(semaphore_handing_on_is_not_ordered) /* Z9 */                                             \
  ONE(latch_waiter_does_not_look_again)    /* Z3 */                                             \
  ONE(barrier_waiter_does_not_look_again)  /* Z3 */                                             \
  ONE(barrier_breaks_in_silence)           /* a broken barrier wakes all waiters */             \
  ONE(channel_links_without_second_look)   /* E2 */                                             \
  ONE(channel_waiter_leaves_no_next)       /* E2 */                                             \
  ONE(channel_waiter_is_never_hungry)      /* E3 */                                             \
  ONE(abandon_caller_leaves_what_ended)    /* a call has one owner */                           \
  ONE(abandon_thread_does_not_wake)        /* no wake-up is lost */                             \
  ONE(abandon_leaver_keeps_its_permit)     /* a permit is given back once */                    \
  ONE(abandon_inner_call_waits)            /* an inner call does not wait for a permit */       \
  ONE(abandon_is_shown_too_early)          /* who sees an abandoned call can rely on it */      \
  ONE(abandon_waiter_looks_too_early)      /* the report of waiters is not lost */              \
  ONE(abandon_wakes_no_one)                /* nothing waits for what is left behind */

// Those that make the order of an access too weak, or leave out a fence.
#define TG_PLANTED_ORDERS(ONE)                                                                               \
  ONE(flow_unpark_publishes_nothing) /* what comes before an unpark happens before the return of its park */ \
  ONE(flow_park_sees_nothing)        /* likewise */                                                          \
  ONE(mutex_unlock_publishes_nothing) /* what the holder did happens before what the next one does */        \
  ONE(mutex_lock_sees_nothing)        /* likewise */                                                         \
  ONE(mutex_waiter_sees_nothing)      /* likewise */                                                         \
  ONE(event_watch_is_not_ordered)     /* a waiter watches before it looks at the event (Q1) */               \
  ONE(event_look_is_not_ordered)      /* likewise */                                                         \
  ONE(event_mark_is_not_ordered)      /* a setter marks before it looks for watchers (Q1) */                 \
  ONE(event_look_for_watchers_is_not_ordered) /* likewise */                                                 \
  ONE(event_marks_have_no_fence)              /* M1 */                                                       \
  ONE(wait_queue_link_is_not_ordered)         /* Q1 */                                                       \
  ONE(wait_queue_releaser_publishes_nothing)  /* Q3 */                                                       \
  ONE(wait_queue_waiter_sees_nothing)         /* Q3 */                                                       \
  ONE(fresh_link_has_no_fence)                /* F3 */                                                       \
  ONE(fresh_unlink_has_no_fence)              /* F3 */                                                       \
  ONE(fresh_reveal_has_no_fence)              /* F2 */                                                       \
  ONE(fresh_link_publishes_nothing)           /* who finds a fresh group sees it as it was made */           \
  ONE(on_stop_publishes_nothing)              /* the call ends before the return of the destructor */        \
  ONE(task_end_is_not_ordered)                /* Q1 */                                                       \
  ONE(cell_publishes_nothing)                 /* a reader sees the value as it was made */                   \
  ONE(cell_writer_sees_no_readers)            /* V2: readers are done before the value goes */               \
  ONE(cell_reader_publishes_nothing)          /* likewise */                                                 \
  ONE(short_copy_publishes_nothing)           /* a short copy is read as a whole */                          \
  ONE(short_copy_reader_sees_nothing)         /* likewise */                                                 \
  ONE(lot_releaser_publishes_nothing)         /* Z4 */                                                       \
  ONE(lot_waiter_sees_nothing)                /* Z4 */                                                       \
  ONE(sync_mutex_sees_nothing)                /* what a holder did is seen by the next one */                \
  ONE(sync_mutex_publishes_nothing)           /* likewise */                                                 \
  ONE(latch_publishes_nothing)                /* what came before a count down is seen by a waiter */        \
  ONE(channel_stamp_is_not_ordered)           /* E2 */                                                       \
  ONE(channel_item_is_not_published)          /* E1 */                                                       \
  ONE(signals_note_is_not_ordered)            /* the check sees each signal that was noted */                \
  ONE(abandon_thread_publishes_nothing)       /* the owner sees what the call has done */                    \
  ONE(abandon_caller_sees_nothing)            /* likewise */

namespace tg::inline v0::detail {
enum class Planted {
  nothing,
#define TG_ONE(name) name,
  TG_ALL_PLANTED(TG_ONE) TG_PLANTED_ORDERS(TG_ONE)
#undef TG_ONE
};
inline Planted planted = Planted::nothing;
}  // namespace tg::inline v0::detail
#endif

// SPDX-License-Identifier: Apache-2.0
// The rounds of a worker, the help of a flow that waits, and claims.
#include "pool/worker.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

#include "base/planted.hpp"
#include "base/spin.hpp"
#include "pool/group_claim.hpp"
#include "pool/running.hpp"
#include "pool/starting.hpp"
#include "pool/task_list.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"
#include "runtime/wait_briefly.hpp"
#include "tree/call_registration.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

namespace {
// A turn of the local queue: at most this many tasks, and not beyond the next tick of the coarse clock (a few
// milliseconds). Then the worker looks at the other queues.
constexpr int kLocalTurn = 64;

// How many times a worker that found nothing looks into the other local queues before it leaves: after 2, 4 and
// 8 us. If it left at once, the next add would cost a wake-up each time. Each look takes the lock of a local
// queue away from the processor that uses it, which costs that one as much as several tasks.
constexpr int kIdleLooks = 3;

// While the system refuses threads, a worker leaves after this time even if there are more tasks, and its
// thread serves another group that waits for one.
constexpr Duration kTurnInShortage = Duration::from_nanos(10'000'000);

// True if the calling thread handles an exception or unwinds. Reads the globals of the Itanium C++ ABI:
// `std::current_exception` would make an `exception_ptr` in each nested wait.
bool handles_exception() noexcept {
  struct Globals {
    void* caught;
    unsigned int uncaught;
  };
  const auto* const globals = reinterpret_cast<const Globals*>(abi::__cxa_get_globals());
  return globals->caught != nullptr || globals->uncaught != 0;
}

std::string name_of_task(const Task& task) { return task.name(); }

// Whether a task may run on the calling flow's stack, above what waits there.
bool stack_can_take_a_task(runtime::Flow& flow) noexcept {
  // Called in a handler or a destructor: the task would see an exception that is not its own.
  return flow.half_of_stack_is_free() && !handles_exception();
}
}  // namespace

void Worker::main(void* pool) noexcept {
  Worker(*static_cast<PoolParts*>(pool), Role::thread).serve(nullptr);
}

Worker::Worker(PoolParts& pool, Role role) noexcept
    : pool_(pool),
      role_(role),
      flow_(runtime::Flow::current()),
      outer_task_(flow_.task),
      outer_event_(flow_.event),
      is_limited_(pool.node.is_limited()),
      context_{&pool.node, nullptr, &name_of_task, &local_},
      self_(&context_) {
  context_.outer = outer_task_;
  if (!is_limited_) return;
  local_.use = LocalQueue::Use::
      refused;  // its tasks would not be counted in one place, and would begin without a permit
  context_.permits_are_lent = needs_permits();
}

template <bool kLimited>
bool Worker::run_rounds(GroupStatistics* counts) noexcept {
  if (role_ == Role::thread) flow_.set_os_name(pool_.node.name());
  MutexLock lock(pool_.queue.mutex());
  if (role_ == Role::helper && !(pool_.queue.needs_worker_locked() && Starting::take_slot_locked(pool_)))
    return false;
  set_caller(&context_, &pool_.node.event());
  pool_.slots.arrive();
  pool_.queue.enter_locked(self_);
  TimePoint now = runtime::coarse_now();
  const TimePoint turn_began = now;
  bool is_short = false;  // of threads, as of the last look
  bool has_given_way = false;
  for (; !pool_.slots.is_wanted_back(); ++looks_) {
    if (is_short && role_ == Role::thread && now >= turn_began + kTurnInShortage) [[unlikely]] {
      has_given_way = true;
      break;
    }
    if (pool_.queue.fill_queue_locked(&local_)) {
      if (kLimited && !take_permits_locked()) break;  // P3: the group's claim waits
      Task& task = pool_.queue.begin_next_locked(self_, now);
      const bool start_next =
          !TG_PLANTED(pool_starts_no_next_worker) && Starting::reserve_locked(pool_);  // P3
      const bool takes_over = !start_next && Starting::take_over_locked(pool_);
      lock.unlock();

      if (kLimited) has_begun();
      if (start_next || takes_over) {
        Starting::start(pool_, takes_over);
      } else {
        is_short = pool_.supply.ask_if_short(pool_.node);
      }
      delivered_.release_all();
      context_.task = &task;
      const TaskStatus status = Running::run(pool_, task, self_, nullptr);
      if (self_.is_in_forked_child()) return false;  // the lock and the counts are the parent's
      context_.task = nullptr;
      if (kLimited) give_permits_back();
      looks_ = -1;

      now = runtime::coarse_now();
      lock.lock();
      Running::end_locked(pool_, self_, task, status, delivered_);
      if (!pool_.change_waiters.empty()) {
        lock.unlock();
        pool_.change_waiters.release_all();
        lock.lock();
      }
    }
    if (local_.use == LocalQueue::Use::open) {
      if (pool_.slots.is_wanted_back()) break;
      if (pool_.queue.queue_is_empty_locked()) local_.moved_ones_have_begun();  // P6
      lock.unlock();
      const int served = run_from_local_queue();
      if (self_.is_in_forked_child()) return false;
      now = runtime::coarse_now();
      is_short = pool_.supply.is_short();
      lock.lock();
      if (served > 0) continue;
    }
    if (!pool_.queue.queue_is_empty_locked()) continue;
    if (role_ == Role::helper && Starting::a_worker_will_look_locked(pool_)) break;
    if (is_last_look_locked()) {
      if (!pool_.queue.find_or_arm_locked(&local_)) break;
      continue;
    }
    // Pauses, so that some tasks arrive: a worker as fast as the adder would otherwise fetch each task alone,
    // and each such fetch costs both of them more than the task.
    const bool others_may_leave_some = pool_.queue.other_local_queues_locked(local_);
    lock.unlock();
    const auto is_wanted = [&] {
      return pool_.supply.has_requests() || (!others_may_leave_some && !pool_.idle_waiters.empty());
    };
    for (int pauses = 1 << std::max(looks_, 0); pauses > 0 && !is_wanted(); --pauses)
      runtime::wait_briefly(is_wanted);
    lock.lock();
  }
  const Left left = leave_locked(has_given_way, counts);
  const bool start_next = kLimited && role_ == Role::helper && Starting::reserve_locked(pool_);  // P3
  lock.unlock();
  if (start_next) Starting::start(pool_, false);
  end_as_worker(left);
  return left.idle;
}

// While a task waits, its permits serve the tasks that the flow runs on its stack; but after each of these the flow
// leaves if others wait for a permit. Then the task lends its permits, and a worker of the group claims one in its
// turn.
bool Worker::take_permits_locked() noexcept {
  SubtreeClaim* const claim = pool_.node.subtree_claim();
  if (needs_permits()) return claim->of_group.advance();
  return claim == nullptr || !has_run_a_task_ || !claim->of_group.others_wait();
}

void Worker::has_begun() noexcept {
  context_.permits_are_lent = false;
  pool_.a_task_has_begun();
}

void Worker::give_permits_back() noexcept {
  has_run_a_task_ = true;
  if (!needs_permits()) return;
  context_.permits_are_lent = true;
  SubtreeBound::give_back(pool_.node.subtree_bound(), TaskContext::bounds_held(outer_task_));
}

// A flow that adds tasks to a group and waits for them, again and again, leaves the worker that was requested
// for them. Otherwise each of these rounds would request one and withdraw the request. The first wait for a
// group withdraws it, because there may be no second, and threads come for all groups in the list.
bool Worker::leaves_the_next_one_coming() noexcept {
  if (role_ == Role::thread || pool_.supply.is_short()) return false;
  return std::exchange(flow_.last_helped, pool_.node.id().value) == pool_.node.id().value;
}

// Not inline: the loop above would have fewer registers.
[[gnu::noinline]] Worker::Left Worker::leave_locked(bool wants_another_turn,
                                                    GroupStatistics* counts) noexcept {
  pool_.slots.leave();
  pool_.queue.leave_locked(self_);
  pool_.queue.close_locked(local_);
  if (wants_another_turn) {
    Starting::request_another_turn_locked(pool_);
  } else if (!leaves_the_next_one_coming()) {
    Starting::withdraw_request_if_done_locked(pool_);
  }
  bool idle_now = (counts == nullptr || TG_PLANTED(pool_joiner_looks_twice)) && pool_.queue.is_idle_locked();
  if (counts != nullptr) {
    *counts = pool_.count_locked();  // at once: a task may be added between two looks (P1)
    idle_now = idle_now || counts->idle();
  }
  return {idle_now, pool_.slots.some_are_wanted_back()};
}

// Runs this task if it is the next one of the queue and a slot is free, and leaves. Says whether it did.
template <bool kLimited>
bool Worker::run_if_next(const Task& wanted) noexcept {
  Task* next = nullptr;
  bool start_next = false;
  {
    MutexLock lock(pool_.queue.mutex());
    const bool lender_is_first = pool_.slots.some_are_wanted_back();  // C2
    if (lender_is_first || !pool_.queue.is_next_locked(wanted) || !Starting::take_slot_locked(pool_))
      return false;
    if (kLimited && !take_permits_locked()) {  // P3: the group's claim waits
      pool_.slots.give_reservation_back();
      return false;
    }
    pool_.slots.arrive();
    pool_.queue.enter_locked(self_);
    next = &pool_.queue.begin_next_locked(self_, runtime::coarse_now());
    start_next = Starting::reserve_locked(pool_);  // P3
  }
  if (kLimited) has_begun();
  if (start_next) Starting::start(pool_, false);
  set_caller(&context_, &pool_.node.event());
  context_.task = next;
  const TaskStatus status = Running::run(pool_, *next, self_, nullptr);
  if (self_.is_in_forked_child()) return true;  // as in `serve`
  context_.task = nullptr;
  if (kLimited) give_permits_back();

  MutexLock lock(pool_.queue.mutex());
  Running::end_locked(pool_, self_, *next, status, delivered_);
  const Left left = leave_locked(false, nullptr);
  start_next = !TG_PLANTED(pool_helper_leaves_tasks_behind) && Starting::reserve_locked(pool_);  // P3
  lock.unlock();
  if (start_next) Starting::start(pool_, false);
  pool_.change_waiters.release_all();
  end_as_worker(left);
  return true;
}

// No task was found. A worker that keeps what others need (Python's lock) does not wait for more; nor does
// one whose thread has work in another group; nor the last one, if a flow waits until the group is idle. Once
// the event is set, no more tasks come.
bool Worker::is_last_look_locked() const noexcept {
  if (role_ == Role::helper || pool_.node.event().is_set()) return true;
  if (flow_.before_idle != nullptr || pool_.supply.has_requests()) return true;
  if (looks_ >= (pool_.queue.other_local_queues_locked(local_) ? kIdleLooks : 0)) return true;
  return !pool_.idle_waiters.empty() && pool_.queue.is_idle_locked();
}

// Runs tasks of the local queue, without the pool's lock between them. Says how many: a turn at most.
int Worker::run_from_local_queue() noexcept {
  RunningHere here(&context_);
  const TimePoint turn_began = runtime::coarse_now();
  Task* task = local_.begin(here, turn_began);
  int served = 0;
  while (task != nullptr) {
    ++served;
    context_.task = task;
    const TaskStatus status = Running::run(pool_, *task, here, &local_);
    if (here.is_in_forked_child()) return served;
    context_.task = nullptr;
    const TimePoint now = runtime::coarse_now();
    if (status == TaskStatus::succeeded && served < kLocalTurn && now == turn_began &&
        !pool_.some_slots_are_wanted_back()) {
      task = local_.end_and_begin(here, now);
    } else {
      Running::end_local(pool_, local_, here, *task, status, delivered_);
      task = nullptr;
    }
    pool_.change_waiters.release_all();
  }
  release_delivered_outside();
  if (served > 0) looks_ = -1;
  return served;
}

void Worker::release_delivered_outside() noexcept {
  if (delivered_.empty()) return;
  set_caller(outer_task_, outer_event_);
  delivered_.release_all();
  set_caller(&context_, &pool_.node.event());
}

// The pool may be idle from here on, and may be destroyed by the last line.
void Worker::end_as_worker(Left left) noexcept {
  if (is_limited_) [[unlikely]]
    GroupClaim::pass_unused_permits_on(pool_);
  // Before any flow is woken: the woken flows need what the worker kept from task to task.
  if (flow_.before_idle != nullptr) std::exchange(flow_.before_idle, nullptr)(flow_);
  if (left.slot_is_free && !TG_PLANTED(slots_lender_is_not_woken)) pool_.slot_waiters.release_all();
  if (left.idle) pool_.idle_waiters.release_all();
  set_caller(outer_task_, outer_event_);
  if (flow_.call_registration != nullptr) flow_.call_registration->end_if_covered_by(pool_.node);
  delivered_.release_all();
  if (role_ == Role::thread) pool_.node.release();  // P4: the last touch
}

// A task that has permits must not wait for permits of bounds below: D4.
static bool may_help_with_permits_of(const TaskContext* caller, const Node& group) noexcept {
  const SubtreeBound* const held = TaskContext::bounds_held(caller);
  return held == nullptr || held == group.subtree_bound();
}

// Whether the calling flow may run tasks of the pool while it waits for them.
bool Worker::may_help(PoolParts& pool) noexcept try {
  runtime::Flow& flow = runtime::Flow::current();  // a foreign thread becomes one, for which memory may lack
  if (pool.node.is_limited() && !may_help_with_permits_of(flow.task, pool.node)) return false;
  // A flow that keeps something from task to task (Python's lock) would hold it while it waits.
  // A flow in a scope could miss the scope's deadline while it runs a task.
  return !pool.node.event().is_set() && flow.before_idle == nullptr && flow.scope == nullptr &&
         stack_can_take_a_task(flow);
} catch (const std::bad_alloc&) {
  return false;
}

bool Worker::help(PoolParts& pool, GroupStatistics& counts) noexcept {
  return may_help(pool) && Worker(pool, Role::helper).serve(&counts);
}

bool Worker::help_with(PoolParts& pool, const Task& wanted) noexcept {
  return may_help(pool) && Worker(pool, Role::helper).serve_one(wanted);
}

bool Worker::run_now(PoolParts& pool, Task& task_waited_for) noexcept {
  if (!task_waited_for.is_claimable()) return false;
  auto& wanted = static_cast<ClaimableTask&>(task_waited_for);
  if (wanted.status() != TaskStatus::pending) return false;
  runtime::Flow& flow = runtime::Flow::current();
  TaskContext* const outer = TaskContext::current();
  // A task that waits inside a predicate has lent its slot already; a task run here would have no slot.
  // A task in a scope could miss the scope's deadline.
  if (outer->slot_is_lent || outer->permits_are_lent || flow.scope != nullptr || pool.node.event().is_set() ||
      !stack_can_take_a_task(flow))
    return false;
  LocalQueue& local = *outer->local;
  TaskContext context{&pool.node, &wanted, &name_of_task, &local};
  context.outer = outer;
  TaskQueue::Runner self(&context);
  const TimePoint now = runtime::coarse_now();
  const bool is_local = local.use == LocalQueue::Use::open && local.claim(wanted, self, now);
  if (!is_local) {
    MutexLock lock(pool.queue.mutex());
    if (!pool.queue.claim_locked(wanted, self, now)) return false;
    lock.unlock();
    pool.a_task_has_begun();
  }
  outer->wait_word.begin("a task that it runs itself");
  flow.task = &context;
  flow.wait_word = &context.wait_word;
  const TaskStatus status = Running::run(pool, wanted, self, is_local ? &local : nullptr);
  if (self.is_in_forked_child()) return true;  // as in `serve`
  flow.task = outer;
  flow.wait_word = &outer->wait_word;
  outer->wait_word.end();
  TaskList delivered;
  if (is_local) {
    Running::end_local(pool, local, self, wanted, status, delivered);
  } else {
    MutexLock lock(pool.queue.mutex());
    Running::end_locked(pool, self, wanted, status, delivered);
    pool.queue.leave_locked(self);
  }
  pool.change_waiters.release_all();  // not idle: the task that waited is running
  delivered.release_all();
  return true;
}

}  // namespace tg::inline v0::detail

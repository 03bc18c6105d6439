// SPDX-License-Identifier: Apache-2.0
// The program's steps, each of which any flow may take at any time.
#include "stress/random_program.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "runtime/threads.hpp"
#include "stress/random_world.hpp"
#include "stress/support.hpp"

namespace tg::stress {
namespace {

using namespace std::chrono_literals;
using runtime::ThreadCache;

class Program;

// Waits of a task, in which its place is lent, do not count as work.
class AwayFromWork {
 public:
  explicit AwayFromWork(Group& group) : group_(group) { --group_.counts->at_work; }
  ~AwayFromWork() { ++group_.counts->at_work; }
  AwayFromWork(const AwayFromWork&) = delete;
  AwayFromWork& operator=(const AwayFromWork&) = delete;

 private:
  Group& group_;
};

// The callable of a task. It counts its own life, and moves without being counted twice.
class Job {
 public:
  Job(Program& program, Group& group, std::shared_ptr<TaskRecord> record, std::uint64_t seed, int depth)
      : program_(program),
        group_(group),
        counts_(group.counts),
        record_(std::move(record)),
        seed_(seed),
        depth_(depth) {
    ++counts_->tried;
  }
  Job(Job&&) noexcept = default;
  ~Job() {
    if (counts_ != nullptr) ++counts_->destroyed;
  }
  int operator()(std::stop_token token);

 private:
  Program& program_;
  Group& group_;
  std::shared_ptr<Counts> counts_;
  std::shared_ptr<TaskRecord> record_;
  std::uint64_t seed_;
  int depth_;
};

class Program {
 public:
  Program(World& world, const Surroundings& surroundings)
      : world_(world), surroundings_(surroundings), tasks_may_fail_(surroundings.tasks_may_fail()) {}

  World& world() { return world_; }

  // What one of the program's own flows does: it may wait without end, because no group waits for it.
  void drive(std::uint64_t seed) {
    Random random(seed);
    while (world_.take_step()) unless_memory_runs_out([&] { step_outside(random); });
  }

  void unless_memory_runs_out(const std::function<void()>& act) try { act(); } catch (const std::bad_alloc&) {
    if (!surroundings_.memory_may_fail) throw;
  }

  void step_outside(Random& random) {
    switch (random.below(12)) {
      case 0:
      case 1:
        make_kept(random);
        break;
      case 2:
        if (auto group = world_.take_any_group(random)) destroy(std::move(group), random);
        break;
      case 3:
        if (auto group = world_.any_group(random)) join(*group, random, std::nullopt);
        break;
      case 4:
        if (random.one_in(30)) ThreadEventsController::instance().set_all_events("all of you");
        break;
      case 5:
        disturb_threads(random);
        break;
      default:
        step(random, nullptr, 0);
    }
  }

  // What any flow may do, in a task (`own` is its group) or outside.
  void step(Random& random, Group* own, int depth) {
    const std::shared_ptr<Group> kept = world_.any_group(random);
    switch (random.below(14)) {
      case 0:
      case 1:
      case 2:
        if (kept != nullptr) {
          std::optional<AwayFromWork> away;  // the group may be full
          if (own != nullptr) away.emplace(*own);
          add(random, *kept, depth);
        }
        break;
      case 3:
        if (kept != nullptr && random.one_in(8)) kept->group.set_event("step");
        break;
      case 4:
        if (kept != nullptr && own == nullptr) join(*kept, random, Duration(1ms * random.below(3)));
        break;
      case 5:
        static_cast<void>(thread_utils::event_aware_sleep(100us * random.below(20)));
        break;
      case 6:
        if (const auto task = world_.any_task(random); task.valid()) wait_for(task, own, random);
        break;
      case 7:
        if (kept != nullptr) wait_for_condition(*kept, own, random);
        break;
      case 8:
        look(random, kept.get());
        break;
      case 9:
      case 10:
        if (own != nullptr && depth < 20) add_and_wait(random, *own, depth + 1);
        break;
      case 11:
        if (depth < 6) nest(random, depth + 1);
        break;
      case 12:
        if (own != nullptr && random.one_in(10)) thread_utils::set_event("from within");
        break;
      default:
        if (own != nullptr && random.one_in(4)) make_kept(random);
    }
  }

  void finish(Random& random) {
    while (auto group = world_.take_any_group(random)) destroy(std::move(group), random);
  }

 private:
  static GroupOptions options(Random& random) {
    GroupOptions options;
    options.max_concurrent_threads = static_cast<std::size_t>(1 + random.below(4));
    options.daemon = random.one_in(5);
    if (random.one_in(4)) options.on_failure = OnFailure::set_event;
    if (random.one_in(6)) options.time_limit = Duration(1ms * random.below(20));
    if (random.one_in(4)) options.max_pending = static_cast<std::size_t>(1 + random.below(4));
    if (random.one_in(4)) options.max_concurrent_in_subtree = static_cast<std::size_t>(1 + random.below(4));
    return options;
  }

  void make_kept(Random& random) try {
    auto group = std::make_shared<Group>(random.one_in(3) ? "" : "kept", options(random));
    world_.keep_books(group->counts);
    world_.keep(std::move(group));
  } catch (const std::system_error&) {
    if (!tasks_may_fail_) throw;  // the flow for a time limit
  } catch (const std::bad_alloc&) {
    if (!surroundings_.memory_may_fail) throw;
  }

  TaskHandle<int> add(Random& random, Group& group, int depth) {
    const std::shared_ptr<TaskRecord> record = std::make_shared<TaskRecord>();
    Job job(*this, group, record, random.fork(), depth + 1);
    try {
      switch (random.below(4)) {
        case 0:
          group.group.post(std::move(job));
          return {};
        case 1: {
          const auto handle = group.group.try_add_task(std::move(job));
          if (!handle) {
            ++group.counts->refused;
            return {};
          }
          world_.track({*handle, record});
          return *handle;
        }
        case 2:
          world_.track({group.group.add_task(std::move(job)), record});
          return {};
        default: {
          auto handle = group.group.add_task(TaskName{"named"}, std::move(job));
          world_.track({handle, record});
          return handle;
        }
      }
    } catch (const std::system_error&) {
      if (!tasks_may_fail_) world_.complain("add failed, though threads can be had");
      ++group.counts->refused;
      return {};
    } catch (const std::bad_alloc&) {
      if (!surroundings_.memory_may_fail) world_.complain("add failed, though there is memory");
      ++group.counts->refused;
      return {};
    }
  }

  // A task that waits, with no end, for one that it has just added itself: whatever the bound, that must
  // work.
  void add_and_wait(Random& random, Group& own, int depth) {
    const AwayFromWork away(own);
    const TaskHandle<int> task = add(random, own, depth);
    if (!task.valid()) return;
    if (task.wait() != WaitOutcome::ready && !own.group.event_is_set())
      world_.complain("a wait was interrupted by no event at all");
  }

  void wait_for(const TaskHandle<int>& task, Group* own, Random& random) {
    std::optional<AwayFromWork> away;
    if (own != nullptr) away.emplace(*own);
    try {
      static_cast<void>(task.wait(100us * random.below(10)));
    } catch (const std::system_error&) {
      if (own == nullptr) throw;  // a task that picked itself
    }
  }

  void wait_for_condition(Group& group, Group* own, Random& random) {
    std::optional<AwayFromWork> away;
    if (own != nullptr) away.emplace(*own);
    int looks = random.below(6);
    const WaitStatus status = group.group.wait_for_condition([&looks] { return --looks == 0; },
                                                             100us * random.below(20), {.interval = 200us});
    if (status == WaitStatus::condition_met && !group.group.event_is_set())
      world_.complain("the condition was met, but the event is not set");
  }

  // Whether everything was done. With no time-out it is, unless the caller's own event ends the wait for a
  // group that is not below its own.
  bool join(Group& group, Random& random, std::optional<Duration> timeout) {
    try {
      const bool throws = random.one_in(2);
      JoinResult result;
      if (throws) {
        result = timeout ? group.group.join(*timeout) : group.group.join();
      } else {
        result = timeout ? group.group.wait_idle(*timeout) : group.group.wait_idle();
      }
      if (!timeout && !result && !(result.event_set && thread_utils::event_is_set()))
        world_.complain("a join without a time-out came back early");
      world_.saw_failures(result.failures.size());
      return static_cast<bool>(result);
    } catch (const TaskFailures& failures) {
      world_.saw_failures(failures.failures().size());
    } catch (const std::system_error& error) {
      // Tasks of full groups wait for room in each other's, and the join closes the cycle.
      if (std::string(error.what()).find("waits for room in") != std::string::npos) return false;
      world_.saw_failures(1);
    } catch (...) {
      world_.saw_failures(1);
    }
    return true;
  }

  void nest(Random& random, int depth) {
    std::unique_ptr<Group> inner;
    try {
      inner = std::make_unique<Group>("nested", options(random));
    } catch (const std::system_error&) {
      if (!tasks_may_fail_) throw;
      return;
    } catch (const std::bad_alloc&) {
      if (!surroundings_.memory_may_fail) throw;
      return;
    }
    world_.keep_books(inner->counts);
    const bool born_set = inner->group.event_is_set();
    for (int i = random.below(4); i >= 0; --i) add(random, *inner, depth);
    if (random.one_in(5)) inner->group.set_event("nested");
    if (!random.one_in(3) && join(*inner, random, std::nullopt)) {
      check_statistics(*inner);
      if (born_set && inner->group.statistics().skipped != inner->group.statistics().total())
        world_.complain("a task ran in a group that was born set");
    }
  }

  // A flow that has picked the group may still use it, but no flow picks it any more.
  void destroy(std::shared_ptr<Group> group, Random& random) {
    while (group.use_count() > 1) surroundings_.pause();
    if (random.one_in(2) && join(*group, random, std::nullopt)) check_statistics(*group);
    group.reset();
  }

  // Only when no other flow adds.
  void check_statistics(Group& group) {
    const GroupStatistics statistics = group.group.statistics();
    const Counts& counts = *group.counts;
    const auto is = [](std::uint64_t a, int b) { return a == static_cast<std::uint64_t>(b); };
    if (!statistics.idle()) world_.complain("joined, but not idle");
    if (!is(statistics.total(), counts.tried - counts.refused))
      world_.complain("the group counts " + std::to_string(statistics.total()) + " tasks, and " +
                      std::to_string(counts.tried - counts.refused) + " were added");
    if (!is(statistics.succeeded, counts.returned)) world_.complain("succeeded is not what returned");
    if (tasks_may_fail_ ? statistics.failed < static_cast<std::uint64_t>(counts.threw)
                        : !is(statistics.failed, counts.threw))
      world_.complain("failed is not what threw");
    // A full group skips what callers add that are stopped.
    if (statistics.skipped != 0 && !group.group.event_is_set() && !group.counts->may_be_full)
      world_.complain("skipped without an event");
  }

  void look(Random& random, Group* group) {
    const ForestSnapshot forest = ThreadEventsController::instance().snapshot();
    for (const NodeSnapshot& node : forest.nodes) {
      if (node.event_is_set != node.reason.has_value()) world_.complain("an event without a reason");
      if (!node.parent) continue;
      const NodeSnapshot* const parent = forest.find(*node.parent);
      if (parent == nullptr) world_.complain("a node hangs below one that is not there");
      else if (parent->event_is_set && !node.event_is_set)
        world_.complain("an unset group hangs below a set one");
    }
    if (random.one_in(4)) static_cast<void>(to_text(forest));
    if (group == nullptr) return;
    group->group.notify();
    static_cast<void>(group->group.path());
    if (group->group.statistics().running > static_cast<std::size_t>(group->counts->bound) * 64)
      world_.complain("too many run");
  }

  void disturb_threads(Random& random) {
    switch (random.below(3)) {
      case 0:
        if (surroundings_.threads_may_fail) surroundings_.refuse_threads(random.below(4));
        break;
      case 1:
        ThreadCache::instance().set_limits(static_cast<std::size_t>(random.below(6)),
                                           Duration(100us * random.below(20)));
        break;
      default:
        ThreadCache::instance().set_limits(ThreadCache::kDefaultMaxIdle, ThreadCache::kDefaultIdleTime);
    }
  }

  World& world_;
  const Surroundings& surroundings_;
  const bool tasks_may_fail_;  // by no error of their own
};

int Job::operator()(std::stop_token token) {
  ++record_->runs;
  // The look at the event comes after the count: with the event set, one that waited may go on beyond the
  // bound.
  if (++counts_->at_work > counts_->bound && !group_.group.event_is_set())
    program_.world().complain("more tasks at work than the bound of " + std::to_string(counts_->bound));
  Random random(seed_);
  for (int i = random.below(4); i > 0 && program_.world().take_step(); --i)
    program_.unless_memory_runs_out([&] { program_.step(random, &group_, depth_); });
  if (counts_->at_work > counts_->bound && !group_.group.event_is_set())
    program_.world().complain("more tasks at work after waiting than the bound allows");
  if (token.stop_requested() && !group_.group.event_is_set())
    program_.world().complain("the token was stopped before the event was set");
  --counts_->at_work;
  if (random.one_in(10)) {
    record_->throws = true;
    ++counts_->threw;
    if (random.one_in(3)) throw 17;
    throw std::runtime_error("at random");
  }
  ++counts_->returned;
  return 17;
}

}  // namespace

std::vector<std::string> run_random_program(std::uint64_t seed, const Surroundings& surroundings) {
  Random random(seed);
  World world(surroundings.steps);
  Program program(world, surroundings);
  const UnseenFailureHandler before =
      set_unseen_failure_handler([&world](const std::string&, const Failure&) { world.saw_failures(1); });
  std::vector<std::function<void()>> drivers;
  for (int i = 0; i < surroundings.flows; ++i)
    drivers.emplace_back([&program, mine = random.fork()] { program.drive(mine); });
  surroundings.run_together(drivers);
  surroundings.refuse_threads(0);
  program.finish(random);
  ThreadCache::instance().set_limits(ThreadCache::kDefaultMaxIdle, ThreadCache::kDefaultIdleTime);
  set_unseen_failure_handler(before);
  world.check_books(surroundings.tasks_may_fail());
  const ForestSnapshot forest = ThreadEventsController::instance().snapshot();
  if (!forest.nodes.empty()) world.complain("the forest is not empty:\n" + to_text(forest));
  return world.complaints();
}

}  // namespace tg::stress

// SPDX-License-Identifier: Apache-2.0
// The way of a step, of a wait and of a declaration. K4 is in the header.
#include <threadgroup/detail/vault/core.hpp>

#include <algorithm>
#include <list>
#include <utility>

#include <threadgroup/vault_types.hpp>

#include "base/planted.hpp"
#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/steady_clock.hpp"
#include "vault/explanation.hpp"
#include "vault/live_vaults.hpp"
#include "vault/parts.hpp"
#include "vault/runs.hpp"

namespace tg {
inline namespace v0 {

namespace detail {

struct VaultCore::Aftermath {
  std::shared_ptr<VaultSink> sink;  // at the time of the step
  std::uint64_t revision = 0;
  std::vector<std::size_t> launches;  // of automatics
  std::vector<Change> garbage;
  std::exception_ptr error;
  bool wakes_all_waits = false;
};

VaultCore::VaultCore(std::string name, const KeyList& keys, VaultOptions options)
    : options_(options), store_(std::move(name), keys), parts_(std::make_unique<VaultParts>(store_.slots())) {
  LiveVaults::add(*this);
}

VaultCore::~VaultCore() TG_NO_THREAD_SAFETY_ANALYSIS {  // the last owner
  LiveVaults::remove(*this);
  for (std::size_t i = 0; i < parts_->flow.size(); ++i) {  // first: it calls us
    AutomaticInfo& automatic = parts_->flow.info(i);
    // In a forked child another thread of the parent may have held the lock in the token. Nothing can stop
    // that group here, so the callback can stay.
    if (automatic.runner->forked()) static_cast<void>(automatic.on_stop.release());
    automatic.on_stop.reset();
  }
}

// --- Reading

ValueRef VaultCore::value(std::size_t slot) const noexcept {
  MutexLock lock(store_.mutex());
  return store_.current_locked(slot);
}

std::vector<ValueRef> VaultCore::values(std::span<const std::size_t> slots) const {
  std::vector<ValueRef> found;
  found.reserve(slots.size());
  MutexLock lock(store_.mutex());
  for (const std::size_t slot : slots) found.push_back(store_.current_locked(slot));
  return found;
}

std::vector<ValueRef> VaultCore::take_inputs(std::span<const std::size_t> slots, Production& production) {
  std::vector<ValueRef> found;
  found.reserve(slots.size());
  MutexLock lock(store_.mutex());
  parts_->producers.announce(production);
  for (const std::size_t slot : slots) found.push_back(store_.current_locked(slot));
  return found;
}

void VaultCore::throw_missing(std::span<const std::size_t> slots) const {
  std::string first;
  std::string text;
  {
    MutexLock lock(store_.mutex());
    for (const std::size_t slot : slots) {
      const std::string& key = store_.key_name(slot);
      if (store_.present_locked(slot) && slots.size() > 1) continue;
      if (first.empty()) first = key;
      const std::string producers = producers_of(*parts_, slot);
      text += (text.empty() ? "" : "; ");
      text += "key '" + key + "' holds no value";
      text +=
          producers.empty() ? " (no function is known to produce it)" : " (produced by " + producers + ")";
    }
  }
  throw MissingKeyError(first, "vault '" + name() + "': " + text);
}

// --- Writing

void VaultCore::commit(std::span<Change> changes, const CommitOptions& options) {
  Aftermath after;
  {
    MutexLock lock(store_.mutex());
    while (parts_->persistence.sink() != after.sink) {
      after.sink = parts_->persistence.sink();
      lock.unlock();
      Persistence::encode(changes, after.sink.get());
      lock.lock();
    }
    store_.check_locked(changes, {options.permit_modification || options_.permit_modification, options.by,
                                  options.from_resource});
    // A key that goes away may leave no hope for those that are made of it.
    bool looks_again = std::any_of(changes.begin(), changes.end(), [](const Change& c) { return !c.value; });
    apply_locked(changes, options, after);
    if (options.stored != nullptr) *options.stored = true;
    after.revision = store_.revision_locked();
    if (options.production != nullptr)
      looks_again |= parts_->producers.end(*options.production, CallEnd::returned, after.revision);
    after.wakes_all_waits = looks_again && parts_->waits > 0;
  }
  if (!TG_PLANTED(vault_wakes_no_waiters)) {
    for (const Change& change : changes) store_.waiters(change.slot).release_all();
  }
  if (after.wakes_all_waits) store_.release_all_waiters();
  finish(after);
}

// What needs memory comes before the first change: after it nothing fails.
void VaultCore::apply_locked(std::span<Change> changes, const CommitOptions& options, Aftermath& after) {
  std::vector<std::size_t> touched;
  parts_->flow.find_touched(changes, touched);
  std::size_t cleaned = 0;
  for (const std::size_t automatic : touched) {
    const AutomaticInfo& info = parts_->flow.info(automatic);
    if (info.clean_outputs) cleaned += info.outputs.size();
    parts_->flow.make_room(automatic);
  }
  after.garbage.reserve(cleaned);
  after.launches.reserve(touched.size());

  const ValueStore::Step step(
      store_, !TG_PLANTED(vault_step_is_seen_in_parts) && (changes.size() > 1 || cleaned > 0));
  for (Change& change : changes) {
    store_.exchange_locked(change, options.by);
    parts_->persistence.keep(change);
  }
  for (const std::size_t automatic : touched) {
    if (parts_->flow.is_complete(store_, automatic)) take_set_locked(automatic, after);
  }
}

// Requires: there is room in `after`, and for the set.
void VaultCore::take_set_locked(std::size_t automatic, Aftermath& after) noexcept {
  if (!parts_->flow.take_set(store_, automatic)) return;
  const AutomaticInfo& info = parts_->flow.info(automatic);
  if (info.clean_outputs) {
    for (const std::size_t output : info.outputs) {
      Change& change = after.garbage.emplace_back(Change{output, {}, {}});
      store_.exchange_locked(change, kNone);
      parts_->persistence.keep(change);
    }
  }
  if (parts_->flow.claim_launch(automatic)) after.launches.push_back(automatic);
}

// All runs are handed over and the rest of the step is done before an error leaves.
void VaultCore::finish(Aftermath& after) {
  if (!after.launches.empty()) {
    std::exception_ptr error = Runs(*this).launch_all(after.launches);
    if (!after.error) after.error = std::move(error);
  }
  if (after.sink != nullptr) after.sink->persist(after.revision);
  if (after.error) std::rethrow_exception(after.error);
}

bool VaultCore::erase(std::span<const std::size_t> slots) {
  std::vector<Change> changes(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) changes[i].slot = slots[i];
  commit(changes, {});
  return std::any_of(changes.begin(), changes.end(),
                     [](const Change& change) { return static_cast<bool>(change.value); });
}

// --- Waiting

namespace {
template <class F>
class OnExit {
 public:
  explicit OnExit(F f) : f_(std::move(f)) {}
  OnExit(const OnExit&) = delete;
  OnExit& operator=(const OnExit&) = delete;
  ~OnExit() { f_(); }

 private:
  F f_;
};
}  // namespace

KeyWait VaultCore::wait_for(std::span<const std::size_t> slots, Duration timeout) const {
  const TimePoint deadline = runtime::after(timeout);
  Event* const event = event_of_caller();
  std::size_t missing = kNone;
  {
    MutexLock lock(store_.mutex());
    missing = store_.find_missing_locked(slots);
    if (missing == kNone) return KeyWait::present;
    ++parts_->waits;
  }
  const OnExit uncount([this] {
    MutexLock lock(store_.mutex());
    --parts_->waits;
  });
  // Key after key: once one is there comes the next, and at the end all are looked at in one moment.
  for (;;) {
    bool hopeless = false;
    const auto ready = [&] {
      MutexLock lock(store_.mutex());
      if (store_.present_locked(missing)) return true;
      hopeless = parts_->producers.is_hopeless(store_, parts_->flow, slots);
      return hopeless;
    };
    WaitOutcome outcome = WaitOutcome::ready;
    // It may be a task of the same group that has no slot yet that stores the key.
    const WaitNote note("a key of a vault");
    while_slot_is_lent([&] { outcome = wait(store_.waiters(missing), ready, {event, nullptr}, deadline); });
    switch (outcome) {
      case WaitOutcome::ready:
        break;
      case WaitOutcome::event_set:
        return KeyWait::event_set;
      case WaitOutcome::timed_out:
      case WaitOutcome::closed:  // a plain wait does not close
        return KeyWait::timed_out;
    }
    // A stop explains a failure better than the failure explains the stop.
    if (hopeless) return is_set(event) ? KeyWait::event_set : KeyWait::producer_failed;
    MutexLock lock(store_.mutex());
    missing = store_.find_missing_locked(slots);
    if (missing == kNone) return KeyWait::present;
  }
}

void VaultCore::tell_waiters() noexcept {
  {
    MutexLock lock(store_.mutex());
    if (parts_->waits == 0) return;
  }
  store_.release_all_waiters();
}

// --- Functions

std::size_t VaultCore::add_bound_function(const std::string& name, std::span<const std::size_t> inputs,
                                          std::span<const std::size_t> outputs) {
  MutexLock lock(store_.mutex());
  return parts_->producers.add(name, inputs, outputs);
}

void VaultCore::announce(Production& production) noexcept {
  MutexLock lock(store_.mutex());
  parts_->producers.announce(production);
}

void VaultCore::end(Production& production, CallEnd how, std::string problem) noexcept {
  {
    MutexLock lock(store_.mutex());
    const bool last = parts_->producers.end(production, how, store_.revision_locked(), &problem);
    if (!last || parts_->waits == 0) return;
  }
  store_.release_all_waiters();
}

std::size_t VaultCore::add_automatic(std::unique_ptr<AutomaticInfo> info) {
  info->stop_token = info->runner->stop_token();
  if (info->stop_token.stop_possible())
    info->on_stop = std::make_unique<std::stop_callback<TellWaiters>>(info->stop_token, TellWaiters{this});
  Aftermath after;
  after.launches.reserve(1);
  after.garbage.reserve(info->outputs.size());
  std::size_t automatic = 0;
  {
    MutexLock lock(store_.mutex());
    parts_->flow.check(store_, *info);
    automatic = parts_->flow.add(std::move(info));
    if (parts_->flow.is_complete(store_, automatic)) {
      const ValueStore::Step step(store_, true);
      take_set_locked(automatic, after);
    }
    after.sink = parts_->persistence.sink();
    after.revision = store_.revision_locked();
    // It may be all that would store a key, and not be able to run.
    after.wakes_all_waits = parts_->waits > 0;
  }
  if (after.wakes_all_waits) store_.release_all_waiters();
  // What the call could not start is not declared, so that it can be called again. If another step has
  // started it meanwhile, nothing went wrong.
  std::exception_ptr error = Runs(*this).launch_all(after.launches);
  if (error && undo_automatic(automatic)) after.error = std::move(error);
  after.launches.clear();
  finish(after);
  return automatic;
}

bool VaultCore::undo_automatic(std::size_t automatic) noexcept {
  std::list<std::vector<ValueRef>> waiting;  // goes away after the lock
  {
    MutexLock lock(store_.mutex());
    if (!parts_->flow.undo_add(automatic, waiting)) return false;
  }
  tell_waiters();
  return true;
}

const AutomaticInfo& VaultCore::automatic(std::size_t index) const {
  MutexLock lock(store_.mutex());
  return parts_->flow.info(index);
}

std::uint64_t VaultCore::runs(std::size_t index) const {
  MutexLock lock(store_.mutex());
  return parts_->flow.progress(index).runs;
}

std::string VaultCore::explain_one(std::size_t index) const {
  MutexLock lock(store_.mutex());
  return explain_automatic(store_, *parts_, index);
}

std::string VaultCore::explain() const {
  MutexLock lock(store_.mutex());
  return explain_all(store_, *parts_);
}

std::string VaultCore::dot() const {
  MutexLock lock(store_.mutex());
  return draw(store_, *parts_);
}

// --- Keeping it elsewhere

void VaultCore::attach(std::shared_ptr<VaultSink> sink) {
  std::vector<ValueRef> values = all_values();
  for (;;) {
    std::vector<EncodedValue> encoded = Persistence::encode_all(values, *sink);
    std::vector<ValueRef> now(slots());
    {
      MutexLock lock(store_.mutex());
      parts_->persistence.require_none(store_);
      bool same = true;
      for (std::size_t slot = 0; slot < slots(); ++slot) {
        now[slot] = store_.current_locked(slot);
        same = same && now[slot].get() == values[slot].get();
      }
      if (same) return parts_->persistence.attach(std::move(sink), encoded);
    }
    values.swap(now);  // another step was made meanwhile
  }
}

void VaultCore::detach(const VaultSink& sink) noexcept {
  std::shared_ptr<VaultSink> old;  // goes away after the lock
  MutexLock lock(store_.mutex());
  old = parts_->persistence.detach(sink);
}

EncodedVault VaultCore::encoded() const {
  MutexLock lock(store_.mutex());
  return parts_->persistence.all(store_);
}

std::uint64_t VaultCore::revision() const {
  MutexLock lock(store_.mutex());
  return store_.revision_locked();
}

// --- Forks

void VaultCore::forget_parent_locked() noexcept {
  store_.forget_waiters();
  parts_->waits = 0;
  parts_->producers.forget_parent(store_.revision_locked());
  parts_->flow.forget_parent(store_.revision_locked());
}

}  // namespace detail
}  // namespace v0
}  // namespace tg

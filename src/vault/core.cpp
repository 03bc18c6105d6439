// SPDX-License-Identifier: Apache-2.0
// Keys and values of a vault. The invariants K1 to K5 stand in the header.
#include <algorithm>
#include <utility>

#include <threadgroup/event/caller.hpp>
#include <threadgroup/event/wait.hpp>
#include <threadgroup/vault/core.hpp>

#include "vault/live_vaults.hpp"

namespace tg {

const char* to_string(KeyWait outcome) noexcept {
  switch (outcome) {
    case KeyWait::present:
      return "present";
    case KeyWait::event_set:
      return "event_set";
    case KeyWait::timed_out:
      return "timed_out";
    case KeyWait::producer_failed:
      return "producer_failed";
  }
  return "unknown";
}

namespace detail {

namespace {
// A type may be trivially copyable to one compiler and not to another, and then they do not read alike (K5).
bool have_same_type(const KeyInfo& a, const KeyInfo& b) noexcept {
  return *a.type == *b.type && a.is_short == b.is_short;
}

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

std::string type_unlike(const KeyInfo& key, const KeyInfo& other) {
  std::string text = readable_type_name(*key.type);
  if (*key.type == *other.type) text += key.is_short ? " (trivially copyable)" : " (not trivially copyable)";
  return text;
}
}  // namespace

// --- The keys
// ------------------------------------------------------------------------------------------------------

VaultCore::VaultCore(std::string name, const KeyList& keys, VaultOptions options)
    : name_(std::move(name)), options_(options) {
  std::size_t table_size = 4;
  while (table_size < 2 * keys.infos().size()) table_size *= 2;
  table_.resize(table_size);
  table_mask_ = table_size - 1;
  for (const auto& key : keys.infos()) {
    const std::size_t known = find_name(key->name);
    if (known == kNobody) {
      infos_.push_back(key);
      std::uint64_t at = key->hash & table_mask_;
      while (table_[at] != 0) at = (at + 1) & table_mask_;
      table_[at] = static_cast<std::uint32_t>(infos_.size());
    } else if (!have_same_type(*infos_[known], *key)) {
      throw KeyTypeError(key->name, "vault '" + name_ + "': there are two keys '" + key->name + "', one of " +
                                        type_unlike(*infos_[known], *key) + " and one of " +
                                        type_unlike(*key, *infos_[known]));
    }
  }
  cells_ = std::make_unique<Cell[]>(infos_.size());
  states_.resize(infos_.size());
  LiveVaults::add(*this);
}

VaultCore::~VaultCore() {
  LiveVaults::remove(*this);
  for (const auto& automatic : automatics_) {  // first: it calls us
    // In a forked child another thread of the parent may have held the lock in the token. Nothing can stop
    // that group here, so the callback can stay.
    if (automatic->runner->forked()) static_cast<void>(automatic->on_stop.release());
    automatic->on_stop.reset();
  }
}

std::size_t VaultCore::find_name(const std::string& name) const noexcept {
  for (std::uint64_t at = std::hash<std::string>()(name) & table_mask_; table_[at] != 0;
       at = (at + 1) & table_mask_) {
    if (infos_[table_[at] - 1]->name == name) return table_[at] - 1;
  }
  return kNobody;
}

std::size_t VaultCore::find(const KeyInfo& key) const {
  for (std::uint64_t at = key.hash & table_mask_; table_[at] != 0; at = (at + 1) & table_mask_) {
    const std::size_t slot = table_[at] - 1;
    const KeyInfo* const known = infos_[slot].get();
    if (known == &key) return slot;
    if (known->hash != key.hash || known->name != key.name) continue;
    if (have_same_type(*known, key)) return slot;
    throw KeyTypeError(key.name, "vault '" + name_ + "': key '" + key.name + "' is of " +
                                     type_unlike(*known, key) + " here, and was asked for as " +
                                     type_unlike(key, *known));
  }
  throw UnknownKeyError(key.name, "vault '" + name_ + "' has no key '" + key.name + "'");
}

// --- Reading
// -------------------------------------------------------------------------------------------------------

PinnedValue VaultCore::pin_slowly(std::size_t slot) const noexcept {
  MutexLock lock(mutex_);
  return PinnedValue(cells_[slot].value.current());
}

std::vector<ValueRef> VaultCore::values(std::span<const std::size_t> slots) const {
  std::vector<ValueRef> found;
  found.reserve(slots.size());
  MutexLock lock(mutex_);
  for (const std::size_t slot : slots) found.push_back(cells_[slot].value.current());
  return found;
}

std::vector<ValueRef> VaultCore::take_inputs(std::span<const std::size_t> slots, Production& production) {
  std::vector<ValueRef> found;
  found.reserve(slots.size());
  MutexLock lock(mutex_);
  announce_locked(production);
  for (const std::size_t slot : slots) found.push_back(cells_[slot].value.current());
  return found;
}

std::vector<ValueRef> VaultCore::all_values() const {
  std::vector<ValueRef> found(slots());
  MutexLock lock(mutex_);
  for (std::size_t slot = 0; slot < found.size(); ++slot) found[slot] = cells_[slot].value.current();
  return found;
}

std::size_t VaultCore::size() const {
  std::size_t count = 0;
  MutexLock lock(mutex_);
  for (std::size_t slot = 0; slot < slots(); ++slot) count += present_locked(slot) ? 1 : 0;
  return count;
}

std::size_t VaultCore::find_missing_locked(std::span<const std::size_t> slots) const noexcept {
  for (const std::size_t slot : slots) {
    if (!present_locked(slot)) return slot;
  }
  return kNobody;
}

KeyWait VaultCore::wait_for(std::span<const std::size_t> slots, TimePoint deadline) const {
  Event* const event = event_of_caller();
  std::size_t missing = kNobody;
  {
    MutexLock lock(mutex_);
    missing = find_missing_locked(slots);
    if (missing == kNobody) return KeyWait::present;
    ++waits_;
  }
  const OnExit uncount([this] {
    MutexLock lock(mutex_);
    --waits_;
  });
  // Key after key: once one is there we go on to the next, and at the end look at all of them at one moment.
  for (;;) {
    bool hopeless = false;
    const auto ready = [&] {
      MutexLock lock(mutex_);
      if (present_locked(missing)) return true;
      hopeless = is_hopeless_locked(slots);
      return hopeless;
    };
    switch (wait(cells_[missing].waiters, ready, {event, nullptr}, deadline)) {
      case WaitOutcome::ready:
        break;
      case WaitOutcome::event_set:
        return KeyWait::event_set;
      case WaitOutcome::timed_out:
      case WaitOutcome::closed:  // a plain wait does not close
        return KeyWait::timed_out;
    }
    // A stop explains a failure better than the failure explains the stop.
    if (hopeless) return event != nullptr && event->is_set() ? KeyWait::event_set : KeyWait::producer_failed;
    MutexLock lock(mutex_);
    missing = find_missing_locked(slots);
    if (missing == kNobody) return KeyWait::present;
  }
}

void VaultCore::release_waiters() const noexcept {
  for (std::size_t slot = 0; slot < slots(); ++slot) cells_[slot].waiters.release_all();
}

void VaultCore::forget_parent_locked() noexcept {
  for (std::size_t slot = 0; slot < slots(); ++slot) cells_[slot].waiters.forget_parent();
  waits_ = 0;
  for (BoundFunction& function : bound_) {
    if (std::exchange(function.at_work, 0) == 0) continue;
    function.failed_at = revision_;
    function.problem.assign("process forked");  // short: needs no memory
  }
  for (AutomaticProgress& progress : progress_) {
    if (!std::exchange(progress.busy, false)) continue;
    progress.state = AutomaticProgress::State::skipped;
    progress.failed_at = revision_;
    progress.launching = nullptr;
  }
}

void VaultCore::tell_waiters() noexcept {
  {
    MutexLock lock(mutex_);
    if (waits_ == 0) return;
  }
  release_waiters();
}

std::string VaultCore::producers_of_locked(std::size_t slot) const {
  const State& state = states_[slot];
  std::string text;
  if (state.producer != kNobody) text = "'" + automatics_[state.producer]->name + "'";
  for (const std::size_t function : state.functions) {
    const BoundFunction& bound = bound_[function];
    text += (text.empty() ? "'" : ", '") + bound.name + "'";
    if (bound.failed_at && bound.at_work == 0) text += ", which failed: " + bound.problem;
  }
  return text;
}

void VaultCore::throw_missing(std::span<const std::size_t> slots) const {
  std::string first;
  std::string text;
  {
    MutexLock lock(mutex_);
    for (const std::size_t slot : slots) {
      if (present_locked(slot) && slots.size() > 1) continue;
      if (first.empty()) first = infos_[slot]->name;
      const std::string producers = producers_of_locked(slot);
      text += (text.empty() ? "" : "; ");
      text += "key '" + infos_[slot]->name + "' holds no value";
      text +=
          producers.empty() ? " (no function is known to produce it)" : " (produced by " + producers + ")";
    }
  }
  throw MissingKeyError(first, "vault '" + name_ + "': " + text);
}

// --- Writing
// -------------------------------------------------------------------------------------------------------

void VaultCore::check_locked(std::span<const Change> changes, const CommitOptions& options) const {
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const std::size_t slot = changes[i].slot;
    const State& state = states_[slot];
    const std::string& key = infos_[slot]->name;
    for (std::size_t j = 0; j < i; ++j) {
      if (changes[j].slot == slot)
        throw VaultError(key, "vault '" + name_ + "': key '" + key + "' stands twice in one step");
    }
    if (!state.source.empty() && !options.from_resource) {
      throw ReadOnlyKeyError(
          key, "vault '" + name_ + "': key '" + key + "' is read from " + state.source + " and not written");
    }
    if (!changes[i].value || !present_locked(slot)) continue;
    const bool own_output = options.by != kNobody && state.stored_by == options.by;
    if (!options.permit_modification && !options_.permit_modification && !own_output) {
      throw KeyExistsError(key, "vault '" + name_ + "': key '" + key +
                                    "' holds a value already, and modification is not permitted");
    }
  }
}

void VaultCore::take_out_locked(std::size_t slot, Aftermath& after) {
  after.garbage.push_back(cells_[slot].exchange(ValueRef(), infos_[slot]->is_short));
  states_[slot].encoded = nullptr;
  states_[slot].stored_by = kNobody;
  ++revision_;
}

// Nothing here may fail half-way but for want of memory, which is asked for before the first change.
void VaultCore::apply_locked(std::span<Change> changes, const CommitOptions& options, Aftermath& after) {
  bool several = changes.size() > 1;
  ++touch_;
  std::vector<std::size_t> touched;
  for (const Change& change : changes) {
    if (!change.value) continue;
    for (const std::size_t consumer : states_[change.slot].consumers) {
      if (std::exchange(progress_[consumer].touched, touch_) != touch_) touched.push_back(consumer);
    }
  }
  if (!touched.empty()) {
    std::size_t cleaned = 0;
    for (const std::size_t index : touched) {
      if (automatics_[index]->clean_outputs) cleaned += automatics_[index]->outputs.size();
    }
    after.garbage.reserve(after.garbage.size() + cleaned);
    after.launches.reserve(touched.size());
    several = several || cleaned > 0;
  }

  ++revision_;
  if (several) sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  for (Change& change : changes) {
    State& state = states_[change.slot];
    state.stored_by = change.value ? options.by : kNobody;
    if (change.value) state.stored_at = revision_;
    change.value = cells_[change.slot].exchange(std::move(change.value), infos_[change.slot]->is_short);
    std::swap(state.encoded, change.encoded);
  }
  std::exception_ptr error;
  try {
    for (const std::size_t index : touched) {
      if (complete_locked(index)) take_set_locked(index, after);
    }
  } catch (...) {
    error = std::current_exception();
  }
  if (several) sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  if (error) after.error = error;
}

void VaultCore::commit(std::span<Change> changes, const CommitOptions& options) {
  std::shared_ptr<VaultSink> sink;
  Aftermath after;
  std::uint64_t revision = 0;
  {
    MutexLock lock(mutex_);
    while (sink_ != sink) {
      sink = sink_;
      lock.unlock();
      for (Change& change : changes) {
        change.encoded = nullptr;
        if (sink != nullptr) change.encoded = sink->encode(change.slot, change.value);
      }
      lock.lock();
    }
    check_locked(changes, options);
    apply_locked(changes, options, after);
    if (options.stored != nullptr) *options.stored = true;
    if (options.production != nullptr) after.tell_waiters = end_locked(*options.production, Ended::returned);
    revision = revision_;
  }
  for (const Change& change : changes) cells_[change.slot].waiters.release_all();
  if (after.tell_waiters) release_waiters();
  finish_step(after, sink, revision);
}

// Everybody who has to run runs, and the rest of the step is done, before an error leaves.
void VaultCore::finish_step(Aftermath& after, const std::shared_ptr<VaultSink>& sink,
                            std::uint64_t revision) {
  launch_all(after);
  if (sink != nullptr) sink->persist(revision);
  if (after.error) std::rethrow_exception(after.error);
}

bool VaultCore::erase(std::span<const std::size_t> slots) {
  std::vector<Change> changes(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) changes[i].slot = slots[i];
  commit(changes, {});
  return std::any_of(changes.begin(), changes.end(),
                     [](const Change& change) { return static_cast<bool>(change.value); });
}

// --- Sinks
// ---------------------------------------------------------------------------------------------------------

void VaultCore::attach(std::shared_ptr<VaultSink> sink) {
  std::vector<ValueRef> values = all_values();
  for (;;) {
    std::vector<EncodedValue> encoded(slots());
    for (std::size_t slot = 0; slot < slots(); ++slot) {
      if (values[slot]) encoded[slot] = sink->encode(slot, values[slot]);
    }
    std::vector<ValueRef> now(slots());
    {
      MutexLock lock(mutex_);
      if (sink_ != nullptr)
        throw VaultError("", "vault '" + name_ + "' is kept in a file already, and can be kept in one only");
      bool same = true;
      for (std::size_t slot = 0; slot < slots(); ++slot) {
        now[slot] = cells_[slot].value.current();
        same = same && now[slot].get() == values[slot].get();
      }
      if (same) {
        for (std::size_t slot = 0; slot < slots(); ++slot) states_[slot].encoded.swap(encoded[slot]);
        sink_ = std::move(sink);
        return;
      }
    }
    values.swap(now);  // somebody wrote meanwhile
  }
}

void VaultCore::detach(const VaultSink& sink) noexcept {
  std::shared_ptr<VaultSink> old;  // goes away after the lock
  MutexLock lock(mutex_);
  if (sink_.get() != &sink) return;
  old.swap(sink_);
  for (State& state : states_) state.encoded = nullptr;
}

EncodedVault VaultCore::encoded() const {
  EncodedVault all;
  MutexLock lock(mutex_);
  all.revision = revision_;
  for (std::size_t slot = 0; slot < slots(); ++slot) {
    if (states_[slot].encoded != nullptr) all.values.emplace_back(infos_[slot]->name, states_[slot].encoded);
  }
  return all;
}

void VaultCore::set_source(std::span<const std::size_t> slots, const std::string& source) {
  MutexLock lock(mutex_);
  for (const std::size_t slot : slots) states_[slot].source = source;
}

std::uint64_t VaultCore::revision() const {
  MutexLock lock(mutex_);
  return revision_;
}

}  // namespace detail
}  // namespace tg

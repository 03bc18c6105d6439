// SPDX-License-Identifier: Apache-2.0
// Functions that run by themselves: declaring, starting, ending, explaining. K2 to K4 stand in
// vault/core.hpp.
#include <algorithm>
#include <utility>

#include <threadgroup/event/reason.hpp>
#include <threadgroup/vault/automatic.hpp>

namespace tg::detail {

namespace {

using Progress = AutomaticProgress::State;

// One run in a group's queue. Destroyed uncalled, it says so.
class Run {
 public:
  Run(std::shared_ptr<VaultCore> core, std::size_t index) : core_(std::move(core)), index_(index) {}
  Run(Run&&) = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    if (core_ != nullptr) core_->run_was_dropped(index_);
  }
  void operator()() {
    const std::shared_ptr<VaultCore> core = std::move(core_);
    core->run(index_);
  }

 private:
  std::shared_ptr<VaultCore> core_;
  std::size_t index_;
};

std::string quoted(const std::string& text) { return "'" + text + "'"; }

}  // namespace

// --- Declaring
// -----------------------------------------------------------------------------------------------------

// "c -> 'g' -> a": the way from a key through declared automatics to one of the others, or "".
std::string VaultCore::find_path_locked(std::size_t from, std::span<const std::size_t> to) const {
  std::vector<std::string> path_to(slots());
  path_to[from] = infos_[from]->name;
  std::vector<std::size_t> queue{from};
  for (std::size_t at = 0; at < queue.size(); ++at) {
    const std::size_t slot = queue[at];
    if (std::find(to.begin(), to.end(), slot) != to.end()) return path_to[slot];
    for (const auto& automatic : automatics_) {
      if (automatic->retired) continue;
      const bool takes = std::any_of(automatic->inputs.begin(), automatic->inputs.end(),
                                     [slot](const auto& input) { return input.slot == slot; });
      if (!takes) continue;
      for (const std::size_t output : automatic->outputs) {
        if (!path_to[output].empty()) continue;
        path_to[output] = path_to[slot] + " -> " + quoted(automatic->name) + " -> " + infos_[output]->name;
        queue.push_back(output);
      }
    }
  }
  return {};
}

void VaultCore::check_declaration_locked(const AutomaticInfo& added) const {
  std::vector<std::size_t> inputs;
  std::string inputs_text;
  for (const auto& input : added.inputs) {
    inputs.push_back(input.slot);
    inputs_text += (inputs_text.empty() ? "" : ", ") + infos_[input.slot]->name;
  }
  for (std::size_t i = 0; i < added.outputs.size(); ++i) {
    const std::size_t output = added.outputs[i];
    const std::string& key = infos_[output]->name;
    const auto begin = added.outputs.begin();
    const auto here = begin + static_cast<std::ptrdiff_t>(i);
    if (std::find(begin, here, output) != here) {
      throw DeclarationError(key,
                             "automatic " + quoted(added.name) + ": key '" + key + "' is an output twice");
    }
    if (states_[output].producer != kNobody && !automatics_[states_[output].producer]->runner->lost()) {
      const AutomaticInfo& other = *automatics_[states_[output].producer];
      std::string other_inputs;
      for (const auto& input : other.inputs)
        other_inputs += (other_inputs.empty() ? "" : ", ") + infos_[input.slot]->name;
      throw DeclarationError(
          key, "vault '" + name_ + "': key '" + key + "' would have two producers: " + other_inputs + " -> " +
                   quoted(other.name) + " -> " + key + " <- " + quoted(added.name) + " <- " + inputs_text);
    }
    const std::string path = find_path_locked(output, inputs);
    if (!path.empty()) {
      const std::size_t last = path.rfind(" -> ");
      const std::string start = last == std::string::npos ? path : path.substr(last + 4);
      throw DeclarationError(key, "vault '" + name_ + "': automatic " + quoted(added.name) +
                                      " would close a cycle: " + start + " -> " + quoted(added.name) +
                                      " -> " + path);
    }
  }
}

// An automatic that lost its group can never run again: one that is declared like it takes its place.
void VaultCore::retire_lost_locked(const AutomaticInfo& added) {
  for (std::size_t i = 0; i < automatics_.size(); ++i) {
    AutomaticInfo& old = *automatics_[i];
    if (old.retired || !old.runner->lost()) continue;
    const auto among_the_added = [&added](std::size_t output) {
      return std::find(added.outputs.begin(), added.outputs.end(), output) != added.outputs.end();
    };
    const bool same_inputs =
        std::equal(old.inputs.begin(), old.inputs.end(), added.inputs.begin(), added.inputs.end(),
                   [](const auto& a, const auto& b) { return a.slot == b.slot; });
    const bool replaced = std::any_of(old.outputs.begin(), old.outputs.end(), among_the_added) ||
                          (old.outputs.empty() && same_inputs && old.name == added.name);
    if (!replaced) continue;
    old.retired = true;
    for (const std::size_t output : old.outputs) states_[output].producer = kNobody;
    for (const auto& input : old.inputs) std::erase(states_[input.slot].consumers, i);
  }
}

std::size_t VaultCore::add_automatic(std::unique_ptr<AutomaticInfo> info) {
  info->stop_token = info->runner->stop_token();
  if (info->stop_token.stop_possible())
    info->on_stop = std::make_unique<std::stop_callback<TellWaiters>>(info->stop_token, TellWaiters{this});
  Aftermath after;
  std::size_t index = 0;
  std::shared_ptr<VaultSink> sink;
  std::uint64_t revision = 0;
  {
    MutexLock lock(mutex_);
    check_declaration_locked(*info);
    retire_lost_locked(*info);
    index = automatics_.size();
    for (const std::size_t output : info->outputs) states_[output].producer = index;
    for (const auto& input : info->inputs) {
      if (input.required) states_[input.slot].consumers.push_back(index);
    }
    automatics_.push_back(std::move(info));
    progress_.emplace_back();
    if (complete_locked(index)) {
      sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_release);  // K1
      take_set_locked(index, after);
      sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    sink = sink_;
    revision = revision_;
  }
  finish_step(after, sink, revision);
  return index;
}

// --- Running
// -------------------------------------------------------------------------------------------------------

bool VaultCore::complete_locked(std::size_t index) const {
  const auto& inputs = automatics_[index]->inputs;
  return std::all_of(inputs.begin(), inputs.end(), [this](const auto& input) TG_REQUIRES(mutex_) {
    return !input.required || present_locked(input.slot);
  });
}

void VaultCore::take_set_locked(std::size_t index, Aftermath& after) {
  const AutomaticInfo& info = *automatics_[index];
  AutomaticProgress& progress = progress_[index];
  // What was there before the first set came, from an earlier life of the program for instance, is kept.
  if (!std::exchange(progress.had_a_set, true) && !info.outputs.empty()) {
    const bool all =
        std::all_of(info.outputs.begin(), info.outputs.end(),
                    [this](std::size_t output) TG_REQUIRES(mutex_) { return present_locked(output); });
    if (all) {
      progress.state = Progress::kept;
      return;
    }
  }
  std::vector<ValueRef> set;
  set.reserve(info.inputs.size());
  for (const auto& input : info.inputs) set.push_back(cells_[input.slot].value.current());
  progress.waiting.push_back(std::move(set));
  if (info.clean_outputs) {
    for (const std::size_t output : info.outputs) take_out_locked(output, after);
  }
  if (progress.busy) return;
  progress.busy = true;
  progress.state = Progress::pending;
  after.launches.push_back(index);
}

// The sets that wait are given back: they are destroyed outside the lock.
std::list<std::vector<ValueRef>> VaultCore::end_unrun_locked(std::size_t index, Progress state) noexcept {
  AutomaticProgress& progress = progress_[index];
  progress.state = state;
  progress.busy = false;
  progress.failed_at = revision_;
  return std::exchange(progress.waiting, {});
}

// Hands the next run to the group; what went wrong, if it did. Then the set waits for the next step, unless
// it can never run.
std::exception_ptr VaultCore::launch(std::size_t index) noexcept {
  AutomaticInfo* info = nullptr;
  const char here = 0;  // its address tells this call from others
  {
    MutexLock lock(mutex_);
    info = automatics_[index].get();
    progress_[index].launching = &here;
    progress_[index].dropped_at_launch = false;
  }
  const bool was_closed = info->runner->closed();
  std::exception_ptr error;
  std::string problem;
  if (!was_closed) {
    try {
      info->runner->start(info->name, Run(shared_from_this(), index));
    } catch (...) {
      error = std::current_exception();
      problem = describe_if_possible(error);
    }
  }
  bool lost = false;
  std::list<std::vector<ValueRef>> dropped;
  {
    MutexLock lock(mutex_);
    AutomaticProgress& progress = progress_[index];
    if (progress.launching != &here) return error;  // it has begun
    progress.launching = nullptr;
    if (!was_closed && !error && !progress.dropped_at_launch) return nullptr;  // it is in the queue
    lost = info->runner->lost();
    if (lost) {
      dropped = end_unrun_locked(index, Progress::not_started);
    } else if (error) {
      progress.state = Progress::not_started;
      progress.busy = false;
      progress.failed_at = revision_;
    } else {
      dropped = end_unrun_locked(index, Progress::skipped);
    }
    progress.problem.swap(problem);
  }
  tell_waiters();
  return lost && !error ? group_is_gone(*info) : error;
}

std::exception_ptr VaultCore::group_is_gone(const AutomaticInfo& info) const noexcept try {
  const std::string key = info.inputs.empty() ? std::string() : infos_[info.inputs.front().slot]->name;
  return std::make_exception_ptr(GroupGoneError(
      key, "vault '" + name_ + "': automatic " + quoted(info.name) +
               " has its inputs and cannot run, for its group " + quoted(info.runner->group_name()) +
               " has been destroyed; what was inserted is in the vault. Let the group outlive the last "
               "insert of an "
               "input, or declare the automatic again, in another group"));
} catch (...) {
  return std::current_exception();
}

void VaultCore::launch_all(Aftermath& after) noexcept {
  for (const std::size_t index : after.launches) {
    std::exception_ptr error = launch(index);
    if (error && !after.error) after.error = std::move(error);
  }
}

void VaultCore::run_was_dropped(std::size_t index) noexcept {
  std::list<std::vector<ValueRef>> dropped;
  MutexLock lock(mutex_);
  if (progress_[index].launching != nullptr) {  // whether it was skipped or not taken, `launch` knows
    progress_[index].dropped_at_launch = true;
    return;
  }
  dropped = end_unrun_locked(index, Progress::skipped);
  lock.unlock();
  tell_waiters();
}

// Ends a run and starts the next one, if a set is waiting: before the task that ran this one is over, so that
// the group does not look idle in between.
std::exception_ptr VaultCore::end_run(std::size_t index, Progress state, std::string problem) noexcept {
  {
    MutexLock lock(mutex_);
    AutomaticProgress& progress = progress_[index];
    progress.state = state;
    progress.problem.swap(problem);
    progress.runs += state != Progress::declined ? 1 : 0;
    progress.failed_at.reset();
    if (state == Progress::failed) progress.failed_at = revision_;
    if (progress.waiting.empty()) {
      progress.busy = false;
      if (waits_ == 0) return nullptr;
      lock.unlock();
      release_waiters();
      return nullptr;
    }
    progress.state = Progress::pending;
  }
  std::exception_ptr error = launch(index);
  if (error && automatic(index).runner->lost())
    return nullptr;  // stopped with its group, as what is pending there
  return error;
}

// A failed run leaves no outputs, not even those of an earlier one: they belong to other inputs.
void VaultCore::forget_outputs(std::size_t index) noexcept try {
  std::vector<Change> stale;
  {
    MutexLock lock(mutex_);
    for (const std::size_t output : automatics_[index]->outputs) {
      if (present_locked(output) && states_[output].stored_by == index) stale.push_back({output, {}, {}});
    }
  }
  if (!stale.empty()) commit(stale, {});
} catch (...) {
  // The file could not be written: the run's own failure is what gets reported.
  return;
}

void VaultCore::run(std::size_t index) {
  AutomaticInfo* info = nullptr;
  std::vector<ValueRef> inputs;
  {
    MutexLock lock(mutex_);
    info = automatics_[index].get();
    AutomaticProgress& progress = progress_[index];
    progress.launching = nullptr;
    progress.state = Progress::running;
    inputs = std::move(progress.waiting.front());
    progress.waiting.pop_front();
  }
  std::exception_ptr error;
  try {
    const RunOutcome outcome = info->call(*this, index, inputs);
    error = end_run(index, outcome == RunOutcome::stored ? Progress::done : Progress::declined, {});
  } catch (...) {
    forget_outputs(index);
    end_run(index, Progress::failed, describe_exception(std::current_exception()));
    throw;
  }
  if (error) std::rethrow_exception(error);
}

const AutomaticInfo& VaultCore::automatic(std::size_t index) const {
  MutexLock lock(mutex_);
  return *automatics_[index];
}

std::uint64_t VaultCore::runs(std::size_t index) const {
  MutexLock lock(mutex_);
  return progress_[index].runs;
}

// --- Who may still store a key
// -------------------------------------------------------------------------------------------

std::size_t VaultCore::add_bound_function(const std::string& name, std::span<const std::size_t> inputs,
                                          std::span<const std::size_t> outputs) {
  MutexLock lock(mutex_);
  std::size_t index = 0;
  for (; index < bound_.size(); ++index) {  // bound again and again, it is one function
    const BoundFunction& known = bound_[index];
    if (known.name == name &&
        std::equal(known.inputs.begin(), known.inputs.end(), inputs.begin(), inputs.end()) &&
        std::equal(known.outputs.begin(), known.outputs.end(), outputs.begin(), outputs.end())) {
      break;
    }
  }
  if (index == bound_.size()) {
    bound_.push_back({name, {inputs.begin(), inputs.end()}, {outputs.begin(), outputs.end()}, 0, {}, {}});
    for (const std::size_t output : outputs) states_[output].functions.push_back(index);
  }
  return outputs.empty() ? kNobody : index;
}

void VaultCore::announce_locked(Production& production) noexcept {
  if (production.function_ == kNobody || production.state_ != Production::State::unknown) return;
  production.state_ = Production::State::announced;
  ++bound_[production.function_].at_work;
}

// True if waits have to look again.
bool VaultCore::end_locked(Production& production, Ended how) noexcept {
  if (!production.announced()) return false;
  production.state_ = Production::State::ended;
  BoundFunction& function = bound_[production.function_];
  if (function.at_work > 0) --function.at_work;
  if (how == Ended::returned) function.failed_at.reset();
  if (how == Ended::failed) function.failed_at = revision_;
  return waits_ > 0 && function.at_work == 0;
}

void VaultCore::end(Production& production, Ended how, std::string problem) noexcept {
  {
    MutexLock lock(mutex_);
    if (how == Ended::failed && production.announced()) bound_[production.function_].problem.swap(problem);
    if (!end_locked(production, how)) return;
  }
  release_waiters();
}

Production::~Production() {
  if (announced()) core_.end(*this, VaultCore::Ended::failed, "it was skipped");  // short: needs no memory
}

void Production::announce() noexcept {
  if (function_ == kNobody) return;
  MutexLock lock(core_.mutex_);
  core_.announce_locked(*this);
}

void Production::end() noexcept {
  if (announced()) core_.end(*this, VaultCore::Ended::returned, {});
}

void Production::fail(const std::exception_ptr& error) noexcept {
  if (announced()) core_.end(*this, VaultCore::Ended::failed, describe_if_possible(error));
}

void Production::withdraw() noexcept {
  if (announced()) core_.end(*this, VaultCore::Ended::withdrawn, {});
}

void TellWaiters::operator()() const noexcept { core->tell_waiters(); }

bool VaultCore::can_run_locked(std::size_t automatic) const noexcept {
  const AutomaticInfo& info = *automatics_[automatic];
  return !info.stop_token.stop_requested() && !info.runner->lost();
}

// What the functions that store a key let hope for, where the same is known of their inputs.
VaultCore::Hope VaultCore::look_at_producers_locked(std::size_t slot, std::span<const Hope> known) const {
  const State& state = states_[slot];
  const auto ended = [&state](const std::optional<std::uint64_t>& failed_at) {
    return failed_at && *failed_at >= state.stored_at;
  };
  bool hopeless = false;
  for (const std::size_t index : state.functions) {
    if (bound_[index].at_work > 0) return Hope::coming;
    hopeless = hopeless || ended(bound_[index].failed_at);
  }
  if (state.producer != kNobody) {
    const AutomaticProgress& progress = progress_[state.producer];
    if (progress.busy) return Hope::coming;
    hopeless = hopeless || ended(progress.failed_at) || !can_run_locked(state.producer);
    if (can_run_locked(state.producer)) {
      for (const auto& input : automatics_[state.producer]->inputs) {
        if (known[input.slot] == Hope::coming) return Hope::coming;
        hopeless =
            hopeless || (input.required && known[input.slot] == Hope::none && !present_locked(input.slot));
      }
    }
  }
  return hopeless ? Hope::none : Hope::open;
}

// Whether one of the keys is missing and will stay so, as far as is known. Automatics make no cycle (see
// `check_declaration_locked`), so each key can be looked at after the inputs of its producer; by a loop and
// not by recursion, for chains may be long.
bool VaultCore::is_hopeless_locked(std::span<const std::size_t> wanted) const {
  std::vector<Hope> known;
  std::vector<std::size_t> to_explore;
  for (const std::size_t slot : wanted) {
    const State& state = states_[slot];
    if (present_locked(slot) || (state.producer == kNobody && state.functions.empty())) continue;
    if (known.empty()) known.resize(slots(), Hope::unexplored);
    to_explore.push_back(slot);
    while (!to_explore.empty()) {
      const std::size_t next = to_explore.back();
      const std::size_t before = to_explore.size();
      if (known[next] == Hope::unexplored && states_[next].producer != kNobody) {
        for (const auto& input : automatics_[states_[next].producer]->inputs) {
          if (known[input.slot] == Hope::unexplored) to_explore.push_back(input.slot);
        }
      }
      if (to_explore.size() > before) continue;
      if (known[next] == Hope::unexplored) known[next] = look_at_producers_locked(next, known);
      to_explore.pop_back();
    }
    if (known[slot] == Hope::none) return true;
  }
  return false;
}

// --- Explaining
// ----------------------------------------------------------------------------------------------------

namespace {
std::string why_not_started(const AutomaticInfo& info, const AutomaticProgress& progress) {
  if (!info.runner->closed()) return progress.problem;
  return "its group " + quoted(info.runner->group_name()) + " has been destroyed";
}
}  // namespace

std::string VaultCore::explain_missing_locked(std::size_t slot) const {
  const State& state = states_[slot];
  std::string text = infos_[slot]->name;
  if (state.producer == kNobody) {
    if (state.functions.empty()) return text + " (no function produces it)";
    return text + " (stored by " + producers_of_locked(slot) + " when called)";
  }
  text += " (produced by " + quoted(automatics_[state.producer]->name);
  const AutomaticProgress& progress = progress_[state.producer];
  switch (progress.state) {
    case Progress::waiting:
      return text + ", which waits as well)";
    case Progress::pending:
    case Progress::running:
      return text + ", which is at work)";
    case Progress::done:
      return text + ", which ran and left it out)";
    case Progress::failed:
      return text + ", which failed: " + progress.problem + ")";
    case Progress::declined:
      return text + ", whose condition was false)";
    case Progress::skipped:
      return text + ", which was skipped because its group was told to stop)";
    case Progress::not_started:
      return text +
             ", which could not be started: " + why_not_started(*automatics_[state.producer], progress) + ")";
    case Progress::kept:
      return text + ", which did not run because its outputs were there)";
  }
  return text + ")";
}

std::string VaultCore::explain_locked(std::size_t index) const {
  const AutomaticInfo& info = *automatics_[index];
  const AutomaticProgress& progress = progress_[index];
  std::string text = quoted(info.name) + ": ";
  switch (progress.state) {
    case Progress::waiting:
      text += "has not run";
      break;
    case Progress::pending:
      text += "is in its group's queue";
      break;
    case Progress::running:
      text += "is running";
      break;
    case Progress::done:
      text += progress.runs == 1 ? "ran once" : "ran " + std::to_string(progress.runs) + " times";
      break;
    case Progress::failed:
      text += "failed: " + progress.problem;
      break;
    case Progress::declined:
      text += "has not run for the latest inputs, because its condition was false";
      break;
    case Progress::skipped:
      text += "was skipped, because its group was told to stop";
      break;
    case Progress::not_started:
      text += "could not be started: " + why_not_started(info, progress);
      break;
    case Progress::kept:
      text += "has not run, because its outputs were there already";
      break;
  }
  std::string missing;
  for (const auto& input : info.inputs) {
    if (!input.required || present_locked(input.slot)) continue;
    missing += (missing.empty() ? "" : ", ") + explain_missing_locked(input.slot);
  }
  if (!missing.empty()) text += "; waits for " + missing;
  return text;
}

std::string VaultCore::explain_one(std::size_t index) const {
  MutexLock lock(mutex_);
  return explain_locked(index);
}

std::string VaultCore::explain() const {
  MutexLock lock(mutex_);
  const auto retired =
      std::count_if(automatics_.begin(), automatics_.end(), [](const auto& a) { return a->retired; });
  std::string text = "vault '" + name_ + "', " +
                     std::to_string(automatics_.size() - static_cast<std::size_t>(retired)) + " automatics\n";
  for (std::size_t i = 0; i < automatics_.size(); ++i) {
    if (!automatics_[i]->retired) text += "  " + explain_locked(i) + "\n";
  }
  return text;
}

namespace {
std::string dot_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}
std::string dot_key(std::size_t slot) { return "key" + std::to_string(slot); }
}  // namespace

std::string VaultCore::dot() const {
  MutexLock lock(mutex_);
  std::string text = "digraph " + dot_text(name_) + " {\n  rankdir=LR;\n";
  for (std::size_t slot = 0; slot < slots(); ++slot) {
    text += "  " + dot_key(slot) + " [label=" + dot_text(infos_[slot]->name) +
            (present_locked(slot) ? ", style=filled" : "") + "];\n";
  }
  for (std::size_t i = 0; i < automatics_.size(); ++i) {
    if (automatics_[i]->retired) continue;
    const std::string me = "automatic" + std::to_string(i);
    text += "  " + me + " [shape=box, label=" + dot_text(automatics_[i]->name) + "];\n";
    for (const auto& input : automatics_[i]->inputs)
      text += "  " + dot_key(input.slot) + " -> " + me + (input.required ? "" : " [style=dotted]") + ";\n";
    for (const std::size_t output : automatics_[i]->outputs)
      text += "  " + me + " -> " + dot_key(output) + ";\n";
  }
  for (std::size_t i = 0; i < bound_.size(); ++i) {
    const std::string me = "function" + std::to_string(i);
    text += "  " + me + " [shape=box, style=dashed, label=" + dot_text(bound_[i].name) + "];\n";
    for (const std::size_t input : bound_[i].inputs) text += "  " + dot_key(input) + " -> " + me + ";\n";
    for (const std::size_t output : bound_[i].outputs) text += "  " + me + " -> " + dot_key(output) + ";\n";
  }
  return text + "}\n";
}

}  // namespace tg::detail
